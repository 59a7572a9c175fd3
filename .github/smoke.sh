#!/usr/bin/env bash
# One dump through serve, send and inspect, over 127.0.0.1 alone: systems other than Linux have no other address of 127.0.0.0/8.
set -eu
work=smoke.$$
mkdir "$work" "$work/sent" "$work/received"
deno task --quiet serve --dir "$work/received" --bind 127.0.0.1 --no-dns 2>"$work/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; cat "$work/log"; rm -rf "$work" || true' EXIT
for _ in $(seq 60); do
  grep -q "Waiting for clients" "$work/log" && break
  sleep 1
done

deno task --quiet send --check --server 127.0.0.1
# A multiple of 4096 bytes, as kernels write.
head -c 8388608 /dev/urandom >"$work/sent/vmcore.w1.0"
deno task --quiet send --server 127.0.0.1 --panic "smoke test" --hostname w1 "$work/sent/vmcore.w1.0"
cmp "$work/sent/vmcore.w1.0" "$work/received/vmcore.127.0.0.1.0"
grep -q "Dump complete" "$work/received/info.127.0.0.1.0"
deno task --quiet inspect "$work/received" | grep "smoke test"
