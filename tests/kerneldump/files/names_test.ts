import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { hostileText } from "../../hostile_text.ts";
import {
  boundsName,
  coreName,
  dumpIndex,
  dumpNames,
  hostLabel,
  incompleteCoreName,
  lastLinks,
} from "../../../lib/kerneldump/files/names.ts";

Deno.test("a dump's files have netdumpd's names (reference 5.3), and a kdh of our own", () => {
  assertEquals(dumpNames("w1", 3), { info: "info.w1.3", header: "kdh.w1.3", key: "key.w1.3" });
  assertEquals(coreName("w1", 0, false, "none"), "vmcore.w1.0");
  assertEquals(coreName("w1", 0, false, "gzip"), "vmcore.w1.0.gz");
  assertEquals(coreName("w1", 0, false, "zstd"), "vmcore.w1.0.zst");
  assertEquals(coreName("w1", 0, true, "zstd"), "vmcore_encrypted.w1.0.zst");
  assertEquals(incompleteCoreName("w1", 0, false), "vmcore.w1.0.incomplete");
  assertEquals(incompleteCoreName("w1", 0, true), "vmcore_encrypted.w1.0.incomplete");
  assertEquals(boundsName("192.0.2.7"), "bounds.192.0.2.7");
  assertEquals(lastLinks("w1"), { core: "vmcore.w1.last", info: "info.w1.last" });
});

const INDEXES: readonly (readonly [name: string, host: string, index: number | undefined])[] = [
  ["vmcore.w1.0", "w1", 0],
  ["vmcore.w1.12.zst", "w1", 12],
  ["vmcore_encrypted.w1.7.incomplete", "w1", 7],
  ["info.192.0.2.7.3", "192.0.2.7", 3],
  ["key.w1.3", "w1", 3],
  ["vmcore.w1.3.notes", "w1", undefined],
  ["info.w1.3.gz", "w1", undefined],
  ["kdh.w1.3.old\nnote", "w1", undefined],
  ["core.txt.w1.3", "w1", undefined],
  ["vmcore.w1.003", "w1", undefined],
  ["vmcore.w1.last", "w1", undefined],
  ["vmcore.w1.", "w1", undefined],
  ["vmcore.w1.3x", "w1", undefined],
  ["vmcore.w1.-3", "w1", undefined],
  ["vmcore.w1.1234567890", "w1", undefined],
  ["vmcore.w10.3", "w1", undefined],
  ["vmcore.w1x3", "w1", undefined],
  ["bounds.w1", "w1", undefined],
  ["", "w1", undefined],
];

for (const [name, host, index] of INDEXES) {
  Deno.test(`dumpIndex() ${index === undefined ? "leaves" : "reads"} ${JSON.stringify(name)}`, () => {
    assertEquals(dumpIndex(name, host), index);
  });
}

Deno.test("dumpIndex() does not take an address's dump for one of a host with a number for a name", () => {
  // Else removing old dumps of a host called 10 would remove those of 10.0.0.5.
  assertEquals(dumpIndex("vmcore.10.0.0.5.3", "10"), undefined);
  assertEquals(dumpIndex("info.10.0.0.5.3", "10.0.0.5"), 3);
});

const LABELS: readonly (readonly [hostName: string, label: string | undefined])[] = [
  ["w1.example.net", "w1"],
  ["w1", "w1"],
  ["W-1_a.example", "W-1_a"],
  ["../../etc/passwd", undefined],
  ["a/../b.example", "a"],
  ["a/b c;rm -rf\n.example", "abcrm-rf"],
  ["\u001b[31mred.example", "31mred"],
  ["münchen.example", "mnchen"],
  ["x".repeat(64), "x".repeat(63)],
  ["", undefined],
  [".example", undefined],
  ["☃.example", undefined],
];

for (const [hostName, label] of LABELS) {
  Deno.test(`hostLabel() makes ${label ?? "nothing"} of ${JSON.stringify(hostName)} (P5, P8)`, () => {
    assertEquals(hostLabel(hostName), label);
  });
}

Deno.test("hostLabel() makes nothing but plain names, whatever DNS says", () => {
  fc.assert(fc.property(hostileText, (hostName) => {
    const label = hostLabel(hostName);
    if (label !== undefined) assertMatch(label, /^[A-Za-z0-9_-]{1,63}$/);
  }));
});

Deno.test("dumpIndex() reads every name that a dump's files are given", () => {
  const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,63}$/);
  const host = fc.oneof(label, fc.ipV4());
  fc.assert(
    fc.property(host, fc.nat(999_999_999), fc.boolean(), (name, index, encrypted) => {
      const { info, header, key } = dumpNames(name, index);
      const cores = (["none", "gzip", "zstd"] as const).map((kind) => coreName(name, index, encrypted, kind));
      for (const file of [info, header, key, ...cores, incompleteCoreName(name, index, encrypted)]) {
        assert(dumpIndex(file, name) === index, file);
      }
    }),
  );
});
