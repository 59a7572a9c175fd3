/**
 * The table of commands and options. Parsing, `--help` and the shell completions all come from it.
 *
 * @module
 */
import { STATES } from "../inspect/directory/entry.ts";
import type { Command, Option } from "./option.ts";
import {
  address,
  addressPort,
  bindAddress,
  choice,
  count,
  directory,
  dnsName,
  duration,
  endpoint,
  file,
  hostPort,
  memoryAddress,
  network,
  port,
  relativePath,
  shelf,
  size,
  sizeOrPercent,
  text,
  webUrl,
} from "./values.ts";

/** Options of every command, and of none. */
export const globalOptions = {
  help: { short: "h", help: "show this help and exit" },
  version: { short: "V", help: "show the version and exit" },
} as const satisfies Record<string, Option>;

/** Where an object store is and who asks it, for the commands that ship and read. */
const storeOptions = {
  "s3-endpoint": {
    value: endpoint,
    defaultInWords: "AWS_ENDPOINT_URL, else AWS",
    help: "URL of the object storage",
  },
  "s3-credentials": {
    value: file(),
    defaultInWords: "AWS_* of the environment",
    help: "file of mode 600 with the keys of the object storage",
  },
} as const satisfies Record<string, Option>;

/** Options of `netdump serve`. */
export const serveOptions = {
  dir: { short: "d", value: directory, default: "/var/crash", help: "dump directory; must exist" },
  bind: {
    short: "a",
    value: bindAddress,
    repeatable: true,
    defaultInWords: "every local address",
    help: "local IPv4 address to listen on",
  },
  path: { short: "p", value: relativePath, default: ".", help: "default path below DIR" },
  exec: { short: "i", value: file("PROGRAM"), help: "run PROGRAM after each dump" },
  webhook: { value: webUrl, help: "post each dump that ended to URL, as JSON" },
  pidfile: {
    short: "P",
    value: file(),
    help: "write the process id to FILE and lock it; a second instance refuses",
  },
  debug: { short: "D", help: "verbose log" },
  port: { value: port, default: "20023", help: "port that HERALDs arrive on" },
  "ack-port": { value: port, default: "20024", help: "the clients' port, where acks go" },
  allow: { value: network, repeatable: true, defaultInWords: "anyone", help: "who may dump" },
  timeout: { value: duration(), default: "10m", help: "silence that ends a dump as incomplete" },
  linger: {
    value: duration("zero-allowed"),
    default: "60s",
    help: "how long a repeated FINISHED is acked again",
  },
  "max-dump-size": { value: size, defaultInWords: "the free space", help: "most bytes of one dump" },
  "min-free": { value: sizeOrPercent, default: "5%", help: "disk space to keep free" },
  "max-sessions": { value: count(1, 65535), default: "256", help: "dumps at once" },
  "max-sessions-per-client": { value: count(1, 65535), default: "4", help: "dumps at once from one address" },
  keep: {
    value: count(1, 1_000_000),
    defaultInWords: "all",
    help: "complete dumps kept per host; older ones are removed",
  },
  workers: { value: count(1, 256), defaultInWords: "half the cores, at most 4", help: "receiver threads" },
  "no-native": { help: "move datagrams by Deno's operations only, one at a time" },
  http: { value: addressPort, defaultInWords: "off", help: "status page, JSON, /metrics, /healthz, /readyz" },
  "http-public": { help: "let --http listen on an address that others reach" },
  "http-host": {
    value: dnsName,
    repeatable: true,
    defaultInWords: "addresses and localhost",
    help: "name that the status page may be asked by",
  },
  "no-dns": { help: "name dumps by address, not by host name" },
  ship: {
    value: shelf,
    defaultInWords: "off",
    help: "ship finished dumps to object storage",
  },
  ...storeOptions,
  "ship-rate": { value: size, defaultInWords: "no limit", help: "bytes shipped a second while dumps arrive" },
  "ship-keep": {
    value: count(0, 1_000_000),
    defaultInWords: "all",
    help: "shipped dumps kept here per host; older ones are removed",
  },
  "log-format": { value: choice("text", "json"), default: "text", help: "form of the log" },
  trace: { value: file(), help: "append a line of JSON for each run of messages that is stored" },
  quiet: { short: "q", help: "log warnings and errors only" },
  ...globalOptions,
} as const satisfies Record<string, Option>;

/** Options of `netdump send`. */
const sendOptions = {
  server: {
    short: "s",
    value: hostPort,
    required: true,
    help: "server to send to, on port 20023 if none is given",
  },
  client: { short: "c", value: address, defaultInWords: "by route", help: "local address to send from" },
  "client-port": { value: port, default: "20024", help: "local port to send from" },
  path: { short: "p", value: relativePath, help: "directory to ask the server for, as net.netdump.path" },
  mtu: {
    value: count(128, 65535),
    defaultInWords: "by route, at most 4148; else 1500",
    help: "size of a packet",
  },
  window: { value: count(1, 65536), defaultInWords: "adaptive, up to 256", help: "messages in flight" },
  retries: { value: count(0, 1000), default: "10", help: "resends of a message before giving up" },
  timeout: { value: duration(), default: "1s", help: "longest wait before a resend" },
  kernel: {
    value: choice("12", "13", "14", "main"),
    help: "imitate the send loop of that FreeBSD kernel, batches, polls and ack masks",
  },
  header: { value: file(), defaultInWords: "kdh.* beside VMCORE", help: "kernel dump header to send" },
  key: { value: file(), defaultInWords: "key.* beside VMCORE", help: "key of an encrypted dump to send" },
  force: { help: "send VMCORE even if it is recognized as no dump" },
  hostname: { value: text("NAME"), help: "host name for a header built anew" },
  panic: { value: text("TEXT"), help: "panic string for a header built anew" },
  arch: { value: text("ARCH"), help: "architecture for a header built anew, such as amd64" },
  "dump-version-string": { value: text("TEXT"), help: "kernel version for a header built anew" },
  ...storeOptions,
  rate: { value: size, help: "most bytes per second" },
  "no-native": { help: "move datagrams by Deno's operations only, one at a time" },
  check: { help: "ask whether a server is there that would take a dump, and send none" },
  quiet: { short: "q", help: "no progress, no summary" },
  json: { help: "print the result as JSON on stdout" },
  ...globalOptions,
} as const satisfies Record<string, Option>;

/** Options of `netdump inspect`. */
export const inspectOptions = {
  json: { help: "one JSON object per FILE and line" },
  dmesg: { help: "print the kernel's message buffer, in order" },
  priorities: { help: "with --dmesg, keep syslog's <N> before each line" },
  verify: { help: "read it all and check it; exit 1 unless it is whole" },
  physical: { value: memoryAddress, help: "print the memory at this physical address" },
  virtual: { value: memoryAddress, help: "print the memory at this kernel virtual address" },
  length: { value: size, defaultInWords: "256", help: "bytes of memory to print" },
  raw: { help: "print memory as raw bytes, not as a hex dump" },
  "private-key": { value: file("PEM"), help: "RSA private key, to look through encryption" },
  "passphrase-file": {
    value: file(),
    defaultInWords: "ask on the terminal",
    help: "take the private key's passphrase from FILE's first line",
  },
  since: { value: duration(), help: "of a directory or bucket, list only what crashed within this time" },
  host: { value: text("NAME"), help: "of a directory or bucket, list only the dumps of this host" },
  state: {
    value: choice(...STATES),
    help: "of a directory or bucket, list only the dumps in this state",
  },
  limit: { value: count(1, 1_000_000), help: "of a directory or bucket, list only the newest N" },
  group: {
    help: "of a directory or bucket, list equal panics as one: how many dumps, which hosts, since when",
  },
  "core-txt": { help: "print a report of the dump as crashinfo writes it into core.txt.N" },
  member: { value: text("NAME"), help: "print a member of a textdump, such as ddb.txt" },
  output: { value: file(), help: "write the decrypted dump to FILE, which must not exist" },
  kernel: { value: file("FILE|DIR"), help: "the kernel that crashed, or a directory to search for it" },
  modules: { value: file("DIR"), help: "a directory with the kernel's modules and their debug files" },
  threads: { help: "show the stacks of all threads, not only of the one that took the dump" },
  processes: { help: "show the processes, as DDB's ps does" },
  variable: {
    value: text("NAME"),
    repeatable: true,
    help: "print a global variable of the kernel",
  },
  spool: {
    value: directory,
    defaultInWords: "/tmp",
    help: "where a large compressed dump is unpacked to read its kernel",
  },
  ...storeOptions,
  ...globalOptions,
} as const satisfies Record<string, Option>;

/** `netdump serve`. */
export const serveCommand = {
  name: "serve",
  summary: "receive kernel dumps over the network",
  options: serveOptions,
  examples: [
    ["netdump serve --dir /var/crash", "receive dumps on every local address"],
    ["netdump serve -d /dumps -a 192.0.2.10 --allow 192.0.2.0/24", "on one address, from one network"],
    [
      "netdump serve -d /dumps -i /usr/local/bin/on-dump --keep 10",
      "run a program after each dump, keep the last ten",
    ],
  ],
} as const satisfies Command;

/** `netdump send`. */
export const sendCommand = {
  name: "send",
  summary: "replay a dump to a netdump server",
  operands: { placeholder: "VMCORE", least: 0, most: 1, completion: "file" },
  options: sendOptions,
  examples: [
    ["netdump send --server 192.0.2.10 vmcore.w1.0", "replay a dump with its header"],
    ["netdump send --check --server 192.0.2.10", "is a server there that would take a dump?"],
    ["netdump send -s dumphost --kernel 14 --hostname test vmcore", "send as a FreeBSD 14 kernel would"],
    [
      "netdump send -s 127.0.0.1 -c 127.0.0.2 --rate 10M --json vmcore.0",
      "on loopback, slowly, with a JSON result",
    ],
  ],
} as const satisfies Command;

/** `netdump inspect`. */
export const inspectCommand = {
  name: "inspect",
  summary: "read kernel dumps and what lies beside them",
  operands: { placeholder: "FILE", least: 1, most: Infinity, completion: "file" },
  options: inspectOptions,
  examples: [
    ["netdump inspect vmcore.w1.0", "what crashed, when and why, and is the dump whole"],
    ["netdump inspect /var/crash", "the dumps in a directory, newest first"],
    ["netdump inspect s3://dumps/fleet/", "dumps that were shipped to object storage"],
    ["netdump inspect --group s3://dumps/fleet/", "equal panics across the fleet as one"],
    ["netdump inspect --dmesg vmcore.w1.0", "what the kernel last said"],
    ["netdump inspect --verify --json /var/crash/vmcore.*", "check dumps, one JSON object a line"],
    ["netdump inspect --virtual 0xffffffff81ca69a8 --length 4 vmcore.0", "memory of the crashed kernel"],
    [
      "netdump inspect --kernel /boot/kernel/kernel --threads vmcore.0",
      "the stacks of all threads, with lines if kernel.debug is there",
    ],
    [
      "netdump inspect --core-txt --kernel /boot/kernel vmcore.0 > core.txt.0",
      "report a dump as crashinfo does, on any machine",
    ],
    [
      "netdump inspect --private-key private.pem --output vmcore.0 vmcore_encrypted.0",
      "decrypt a dump",
    ],
  ],
} as const satisfies Command;

/** Shells that `netdump completions` knows. */
export const shells = ["bash", "zsh", "fish"] as const;

/** `netdump completions`. */
export const completionsCommand = {
  name: "completions",
  summary: "print the completions of a shell",
  operands: { placeholder: shells.join("|"), least: 1, most: 1, completion: shells },
  options: globalOptions,
  examples: [
    ["netdump completions bash > ~/.local/share/bash-completion/completions/netdump", "for bash"],
    ["netdump completions zsh > ~/.zfunc/_netdump", "for zsh, with ~/.zfunc in its fpath"],
    ["netdump completions fish > ~/.config/fish/completions/netdump.fish", "for fish"],
  ],
} as const satisfies Command;

/** `netdump help`. */
export const helpCommand = {
  name: "help",
  summary: "show the help of a command",
  operands: {
    placeholder: "COMMAND",
    least: 0,
    most: 1,
    completion: [serveCommand.name, sendCommand.name, inspectCommand.name, completionsCommand.name],
  },
  options: globalOptions,
  examples: [["netdump help serve", "the same as netdump serve --help"]],
} as const satisfies Command;

/** Every command, in the order of `--help`. */
export const commands: readonly Command[] = [
  serveCommand,
  sendCommand,
  inspectCommand,
  completionsCommand,
  helpCommand,
];
