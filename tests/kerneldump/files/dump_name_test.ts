import { assertEquals } from "@std/assert";
import { type DumpName, parseDumpName } from "../../../lib/kerneldump/files/dump_name.ts";

const PLAIN: DumpName = { prefix: null, id: null, encrypted: false, compression: "none", incomplete: false };

for (
  const [name, said] of [
    ["vmcore.w1.0", { prefix: "vmcore", id: "w1.0" }],
    ["vmcore.192.0.2.1.12", { prefix: "vmcore", id: "192.0.2.1.12" }],
    ["vmcore.0", { prefix: "vmcore", id: "0" }],
    ["vmcore.0.gz", { prefix: "vmcore", id: "0", compression: "gzip" }],
    ["vmcore.w1.0.zst", { prefix: "vmcore", id: "w1.0", compression: "zstd" }],
    ["vmcore_encrypted.w1.0", { prefix: "vmcore_encrypted", id: "w1.0", encrypted: true }],
    ["vmcore_encrypted.w1.0.gz", {
      prefix: "vmcore_encrypted",
      id: "w1.0",
      encrypted: true,
      compression: "gzip",
    }],
    ["vmcore.w1.0.incomplete", { prefix: "vmcore", id: "w1.0", incomplete: true }],
    ["vmcore.w1.0.zst.incomplete", { prefix: "vmcore", id: "w1.0", compression: "zstd", incomplete: true }],
    ["livecore.3", { prefix: "livecore", id: "3" }],
    ["vmcore.gz.0", { prefix: "vmcore", id: "gz.0" }],
    ["vmcore.w1.0.bz2", { prefix: "vmcore", id: "w1.0" }],
    ["vmcore.0.xz.incomplete", { prefix: "vmcore", id: "0", incomplete: true }],
    ["textdump.tar.0", { prefix: "textdump.tar", id: "0" }],
    ["textdump.tar.w1.3.gz", { prefix: "textdump.tar", id: "w1.3", compression: "gzip" }],
    ["core.txt.0", { prefix: "core.txt", id: "0" }],
    ["kdh.w1.0", { prefix: "kdh", id: "w1.0" }],
    ["info.w1.last", { prefix: "info", id: "w1.last" }],
    ["vmcore.w1\n.0", { prefix: "vmcore", id: "w1\n.0" }],
    ["memory.dump", {}],
    ["memory.dump.gz", { compression: "gzip" }],
    ["vmcore", {}],
    ["", {}],
  ] as const
) {
  Deno.test(`parseDumpName() of "${name}"`, () => assertEquals(parseDumpName(name), { ...PLAIN, ...said }));
}
