import { assertEquals, assertThrows } from "@std/assert";
import {
  address,
  addressPort,
  choice,
  count,
  directory,
  dnsName,
  duration,
  file,
  hostPort,
  network,
  port,
  relativePath,
  size,
  sizeOrPercent,
  text,
  type ValueKind,
  webUrl,
} from "../../lib/cli/values.ts";

const GOOD: [name: string, kind: ValueKind<unknown>, text: string, value: unknown][] = [
  ["text()", text("TEXT"), " any thing ", " any thing "],
  ["file()", file(), "-odd name", "-odd name"],
  ["directory", directory, "/var/crash", "/var/crash"],
  ["address", address, "192.0.2.10", "192.0.2.10"],
  ["network", network, "10.0.0.0/8", { base: 0x0a000000, mask: 0xff000000, text: "10.0.0.0/8" }],
  ["network", network, "10.1.2.3", { base: 0x0a010203, mask: 0xffffffff, text: "10.1.2.3/32" }],
  ["relativePath", relativePath, "lab/rack 1", "lab/rack 1"],
  ["relativePath", relativePath, ".", "."],
  ["count()", count(0, 10), "0", 0],
  ["count()", count(0, 10), "010", 10],
  ["port", port, "65535", 65535],
  ["size", size, "64k", 65536],
  ["sizeOrPercent", sizeOrPercent, "10G", 10737418240],
  ["sizeOrPercent", sizeOrPercent, "0", 0],
  ["sizeOrPercent", sizeOrPercent, "5%", { percent: 5 }],
  ["sizeOrPercent", sizeOrPercent, "2.5%", { percent: 2.5 }],
  ["sizeOrPercent", sizeOrPercent, "100%", { percent: 100 }],
  ["duration()", duration(), "1ms", 1],
  ["duration()", duration(), "24d", 24 * 86_400_000],
  ["duration(zero-allowed)", duration("zero-allowed"), "0", 0],
  ["choice()", choice("text", "json"), "json", "json"],
  ["addressPort", addressPort, "127.0.0.1:9123", { address: "127.0.0.1", port: 9123 }],
  ["dnsName", dnsName, "Dumps.Example.org", "dumps.example.org"],
  ["webUrl", webUrl, "https://x.example/a?b", new URL("https://x.example/a?b")],
  ["hostPort", hostPort, "dumphost", { host: "dumphost", port: undefined }],
  ["hostPort", hostPort, "192.0.2.10:20023", { host: "192.0.2.10", port: 20023 }],
  ["hostPort", hostPort, "dump_host-1.example.org:1", { host: "dump_host-1.example.org", port: 1 }],
];

for (const [name, kind, text, value] of GOOD) {
  Deno.test(`${name} reads ${JSON.stringify(text)}`, () => assertEquals(kind.parse(text), value));
}

const BAD: [name: string, kind: ValueKind<unknown>, texts: string[], expectation: string][] = [
  [
    "address",
    address,
    ["localhost", "1.2.3", "1.2.3.4.5", "01.2.3.4", "::1", "256.1.1.1"],
    "a dotted IPv4 address",
  ],
  ["network", network, ["10.0.0.1/8", "10.0.0.0/33", "any", "fe80::/10"], "an IPv4 network"],
  ["relativePath", relativePath, ["/abs", "a/../b", "..", "a\nb", "c:\\d"], "a relative path"],
  [
    "count()",
    count(1, 10),
    ["0", "11", "-1", "+1", "1.0", "1e0", "0x1", " 1", "1\n", "NaN", "Infinity"],
    "from 1 to 10",
  ],
  ["count()", count(1, 10), ["9".repeat(400), "18446744073709551617", "٣", "１"], "from 1 to 10"],
  ["port", port, ["0", "65536", "http", "-1"], "from 1 to 65535"],
  ["size", size, ["0", "0.1"], "at least one byte"],
  ["size", size, ["lots", "-1", "1e9", "5%", "NaN", "9".repeat(400)], "a size in bytes"],
  ["sizeOrPercent", sizeOrPercent, ["101%", "-5%", "%", "5 %", "1e1%", "all", "NaN%"], "a size such as 10G"],
  ["duration()", duration(), ["0", "0s"], "longer than zero"],
  ["duration()", duration(), ["soon", "-1s", "1w", "1e3", "Infinity"], "a duration with"],
  [
    "duration(), whose timer would overflow and fire at once,",
    duration(),
    ["25d", "600h", "36525d"],
    "at most 24d",
  ],
  ["choice()", choice("text", "json"), ["JSON", "xml", " json", "toString", "0"], "one of text, json"],
  [
    "addressPort",
    addressPort,
    ["127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "300.0.0.1:80", "localhost:80", "[::1]:80"],
    "an IPv4 address and a port",
  ],
  ["dnsName", dnsName, ["", "a b", "a..b", "a/b", "a:80", "x".repeat(64)], "a host name"],
  ["webUrl", webUrl, ["", "x", "ftp://x", "file:///x", "javascript:x"], "a URL with http or https"],
  ["webUrl", webUrl, ["https://u@x", "https://u:p@x"], "NETDUMP_WEBHOOK_AUTHORIZATION"],
  [
    "hostPort",
    hostPort,
    ["host:", ":20023", "[::1]:20023", "a b", "host:port", "a/b", "h:1:2"],
    "a host name or IPv4",
  ],
  ["hostPort", hostPort, ["host:0", "host:65536", `host:${"9".repeat(400)}`], "a port from 1 to 65535"],
];

for (const [name, kind, texts, expectation] of BAD) {
  for (const text of texts) {
    Deno.test(`${name} refuses ${JSON.stringify(text.slice(0, 24))} and says what is expected`, () => {
      assertThrows(() => kind.parse(text), SyntaxError, expectation);
    });
  }
}
