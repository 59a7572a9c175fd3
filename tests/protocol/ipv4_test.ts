import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatAddress, networkContains, parseAddress, parseNetwork } from "../../lib/protocol/ipv4.ts";

const ADDRESSES: [text: string, address: number][] = [
  ["0.0.0.0", 0],
  ["127.0.0.1", 0x7f000001],
  ["192.0.2.10", 0xc000020a],
  ["255.255.255.255", 0xffffffff],
];

for (const [text, address] of ADDRESSES) {
  Deno.test(`parseAddress() and formatAddress() agree on ${text}`, () => {
    assertEquals(parseAddress(text), address);
    assertEquals(formatAddress(address), text);
  });
}

const NO_ADDRESSES = [
  "",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "256.0.0.1",
  "1.2.3.-4",
  "1..2.3",
  "1.2.3.4 ",
  " 1.2.3.4",
  "a.b.c.d",
]
  .concat(["0x7f.0.0.1", "127.0.0.1\n", "1.2.3.4/32", "::1", "1.2.3.1e1", "１.2.3.4"]);

for (const text of NO_ADDRESSES) {
  Deno.test(`parseAddress() refuses ${JSON.stringify(text)}`, () =>
    assertEquals(parseAddress(text), undefined));
}

Deno.test("parseAddress() refuses leading zeros, which others read as octal", () => {
  assertEquals(parseAddress("010.0.0.1"), undefined);
  assertEquals(parseAddress("1.2.3.00"), undefined);
});

Deno.test("formatAddress() undoes parseAddress() for any address", () => {
  fc.assert(fc.property(fc.ipV4(), (text) => assertEquals(formatAddress(parseAddress(text) ?? -1), text)));
});

const NETWORKS: [text: string, base: number, mask: number, normal: string][] = [
  ["192.0.2.0/24", 0xc0000200, 0xffffff00, "192.0.2.0/24"],
  ["10.0.0.0/8", 0x0a000000, 0xff000000, "10.0.0.0/8"],
  ["0.0.0.0/0", 0, 0, "0.0.0.0/0"],
  ["128.0.0.0/1", 0x80000000, 0x80000000, "128.0.0.0/1"],
  ["192.0.2.7", 0xc0000207, 0xffffffff, "192.0.2.7/32"],
  ["192.0.2.6/31", 0xc0000206, 0xfffffffe, "192.0.2.6/31"],
];

for (const [text, base, mask, normal] of NETWORKS) {
  Deno.test(`parseNetwork() reads ${text}`, () =>
    assertEquals(parseNetwork(text), { base, mask, text: normal }));
}

const NO_NETWORKS = ["", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/024"]
  .concat(["10.0.0.0/8/8", "10/8", "10.0.0.0/255.0.0.0", "10.0.0.0 /8", "any"]);

for (const text of NO_NETWORKS) {
  Deno.test(`parseNetwork() refuses ${JSON.stringify(text)}`, () =>
    assertEquals(parseNetwork(text), undefined));
}

Deno.test("parseNetwork() refuses bits below the prefix, most likely a typing error", () => {
  assertEquals(parseNetwork("192.0.2.10/24"), undefined);
  assertEquals(parseNetwork("0.0.0.1/0"), undefined);
});

Deno.test("networkContains() knows the first and last address of a network and their neighbours", () => {
  const network = parseNetwork("192.0.2.128/25")!;
  assertEquals(
    ["192.0.2.127", "192.0.2.128", "192.0.2.255", "192.0.3.0", "nonsense"].map((a) =>
      networkContains(network, a)
    ),
    [false, true, true, false, false],
  );
});

Deno.test("networkContains() takes everyone into 0.0.0.0/0 and one into a /32", () => {
  assertEquals(networkContains(parseNetwork("0.0.0.0/0")!, "255.255.255.255"), true);
  assertEquals(networkContains(parseNetwork("192.0.2.7/32")!, "192.0.2.7"), true);
  assertEquals(networkContains(parseNetwork("192.0.2.7/32")!, "192.0.2.6"), false);
});
