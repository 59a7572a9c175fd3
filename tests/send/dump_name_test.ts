import { assertEquals } from "@std/assert";
import { type DumpName, parseDumpName } from "../../lib/send/dump_name.ts";

const PLAIN: DumpName = { stem: undefined, encrypted: false, compression: "none", incomplete: false };

for (
  const [name, said] of [
    ["vmcore.w1.0", { stem: "w1.0" }],
    ["vmcore.192.0.2.1.12", { stem: "192.0.2.1.12" }],
    ["vmcore.0", { stem: "0" }],
    ["vmcore.0.gz", { stem: "0", compression: "gzip" }],
    ["vmcore.w1.0.zst", { stem: "w1.0", compression: "zstd" }],
    ["vmcore_encrypted.w1.0", { stem: "w1.0", encrypted: true }],
    ["vmcore_encrypted.w1.0.gz", { stem: "w1.0", encrypted: true, compression: "gzip" }],
    ["vmcore.w1.0.incomplete", { stem: "w1.0", incomplete: true }],
    ["vmcore.w1.0.zst.incomplete", { stem: "w1.0", compression: "zstd", incomplete: true }],
    ["livecore.3", { stem: "3" }],
    ["vmcore.gz.0", { stem: "gz.0" }],
    ["memory.dump", {}],
    ["memory.dump.gz", { compression: "gzip" }],
    ["vmcore", {}],
    ["", {}],
  ] as const
) {
  Deno.test(`parseDumpName() of "${name}"`, () => assertEquals(parseDumpName(name), { ...PLAIN, ...said }));
}
