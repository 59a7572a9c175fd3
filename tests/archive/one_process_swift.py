#!/usr/bin/python3
"""A whole object store on loopback for tests: OpenStack Swift's four servers and its S3 interface in one process.

usage: one_process_swift.py DIRECTORY PORT [ADDRESS]. Takes PORT to PORT + 3; ends when its standard input ends. Its clock is
off by as many seconds as stand in DIRECTORY/clock, if that is there.
"""
import os
import sys
import time

real_time = time.time


def shifted_time():
    try:
        with open(os.path.join(sys.argv[1], "clock"), encoding="ascii") as file:
            return real_time() + float(file.read())
    except FileNotFoundError:
        return real_time()


time.time = shifted_time

# Its own resolver, which nothing here asks, takes a third of the start.
os.environ["EVENTLET_NO_GREENDNS"] = "yes"

import eventlet  # noqa: E402

eventlet.monkey_patch()

from eventlet import listen, wsgi  # noqa: E402
from swift.common import storage_policy, utils  # noqa: E402
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

directory, port = os.path.abspath(sys.argv[1]), int(sys.argv[2])
address = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
config = os.path.join(directory, "config")
os.makedirs(config, exist_ok=True)
os.makedirs(os.path.join(directory, "disks", "d"), exist_ok=True)

DEFAULTS = {"swift_dir": config, "bind_ip": "127.0.0.1", "log_level": "CRITICAL", "workers": "0"}
PIPELINE = "catch_errors cache listing_formats s3api tempauth container_quotas slo dlo symlink proxy-server"
FILTERS = {
    "cache": {"use": "egg:swift#memcache", "memcache_servers": "127.0.0.1:9"},
    "s3api": {"s3_acl": "false", "location": "us-east-1", "min_segment_size": "5242880"},
    "tempauth": {"user_test_tester": "testing .admin"},
}


def sections(name, parts):
    with open(os.path.join(config, name), "w", encoding="utf-8") as file:
        for title, values in parts.items():
            file.write("[%s]\n" % title)
            file.writelines("%s = %s\n" % pair for pair in values.items())


sections("swift.conf", {
    "swift-hash": {"swift_hash_path_prefix": "netdump", "swift_hash_path_suffix": "netdump"},
    "storage-policy:0": {"name": "only", "default": "yes"},
})
utils.SWIFT_CONF_FILE = os.path.join(config, "swift.conf")
utils.HASH_PATH_PREFIX = utils.HASH_PATH_SUFFIX = b"netdump"
storage_policy.reload_storage_policies()

servers = {"proxy": port}
for number, kind in enumerate(("account", "container", "object"), 1):
    servers[kind] = port + number
    builder = RingBuilder(2, 1, 0)
    builder.add_dev({
        "id": 0, "region": 1, "zone": 1, "weight": 1, "device": "d", "meta": "",
        "ip": "127.0.0.1", "port": port + number,
        "replication_ip": "127.0.0.1", "replication_port": port + number,
    })
    builder.rebalance()
    builder.get_ring().save(os.path.join(config, kind + ".ring.gz"))
    sections(kind + ".conf", {
        "DEFAULT": {**DEFAULTS, "bind_port": port + number, "devices": os.path.join(directory, "disks"),
                    "mount_check": "false", "fallocate_reserve": "0", "disable_fallocate": "true"},
        "pipeline:main": {"pipeline": kind + "-server"},
        "app:%s-server" % kind: {"use": "egg:swift#" + kind},
    })
sections("proxy.conf", {
    "DEFAULT": {**DEFAULTS, "bind_port": port},
    "pipeline:main": {"pipeline": PIPELINE},
    "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true",
                         "allow_account_management": "true"},
    **{"filter:" + name: {"use": "egg:swift#" + name, **FILTERS.get(name, {})}
       for name in PIPELINE.split()[:-1]},
})

with open(os.devnull, "w", encoding="utf-8") as nowhere:
    for kind, number in servers.items():
        app = loadapp(os.path.join(config, kind + ".conf"), allow_modify_pipeline=True)
        at = address if kind == "proxy" else "127.0.0.1"
        eventlet.spawn(wsgi.server, listen((at, number), backlog=64, reuse_port=False), app, nowhere,
                       protocol=SwiftHttpProtocol, capitalize_response_headers=False)
    print("ready", flush=True)
    eventlet.tpool.execute(sys.stdin.read)
os._exit(0)
