import { assertEquals, assertStringIncludes } from "@std/assert";
import { decodeMinidump } from "../../lib/kerneldump/minidump/minidump.ts";
import { checkMinidump, minidumpSize } from "../../lib/kerneldump/minidump_check.ts";
import { PageMap } from "../../lib/kerneldump/minidump/page_map.ts";
import { completeness, type Problem, problem, PROBLEMS } from "../../lib/kerneldump/problem.ts";
import { readAtOf } from "../../lib/bytes/source.ts";
import { realVmcore, testWithVmcores } from "./real_vmcores.ts";
import { buildMinidump, buildReferenceFixture, concatenate, MINIDUMP_KINDS } from "./synthetic.ts";

async function check(
  dump: Uint8Array,
  maybeSparse = true,
  size: number | null = dump.byteLength,
): Promise<Problem[]> {
  const minidump = decodeMinidump(dump);
  return checkMinidump(minidump, await PageMap.read(readAtOf(dump), minidump), { size, maybeSparse });
}
const codes = (problems: readonly Problem[]) => problems.map((p) => p.code);

for (const kind of MINIDUMP_KINDS) {
  const name = `${kind.architecture} version ${kind.version}, ${kind.littleEndian ? "little" : "big"} endian`;
  Deno.test(`checkMinidump() finds nothing wrong with ${name}, ${kind.pageSize}`, async () => {
    const dump = buildMinidump({ ...kind, pages: { 0: new Uint8Array(1), 0x8000: new Uint8Array(1) } });
    assertEquals(await check(dump), []);
  });
}

Deno.test("checkMinidump() tells by how much a file is too long or too short, and where it ends", async () => {
  const dump = buildReferenceFixture();
  assertEquals(await check(dump), []);
  const message = async (changed: Uint8Array) => {
    const [only, ...more] = (await check(changed)).filter((p) => p.code === "size-mismatch");
    assertEquals(more, []);
    return only!.message;
  };
  assertStringIncludes(
    await message(concatenate([dump, new Uint8Array(7)])),
    "40967 bytes, 7 more than the 40960",
  );
  assertStringIncludes(await message(dump.subarray(0, 40959)), "1 fewer than the 40960");
  assertStringIncludes(await message(dump.subarray(0, 0x6001)), "it ends in the pages");
  assertStringIncludes(await message(dump.subarray(0, 0x5fff)), "it ends in the page tables");
  assertStringIncludes(await message(dump.subarray(0, 0x4000)), "it ends in the page bitmap");
  assertStringIncludes(await message(dump.subarray(0, 0x3000)), "it ends in the physical memory ranges");
  assertStringIncludes(await message(dump.subarray(0, 0x2000)), "it ends in the message buffer");
  assertStringIncludes(await message(dump.subarray(0, 0x800)), "it ends in the header");
});

Deno.test("checkMinidump() cannot tell a tail of zeros that savecore left out from a cut copy", async () => {
  const cut = buildReferenceFixture().subarray(0, 0x8000);
  const problems = await check(cut);
  assertEquals(codes(problems), ["missing-tail"]);
  assertStringIncludes(problems[0]!.message, "8192 fewer");
  assertEquals(completeness(problems), null);
});

Deno.test("checkMinidump() calls a missing tail of a dump from the network what it is: cut", async () => {
  const problems = await check(buildReferenceFixture().subarray(0, 0x8000), false);
  assertEquals(codes(problems), ["size-mismatch"]);
  assertEquals(completeness(problems), false);
});

Deno.test("checkMinidump() says nothing about a size that is not known", async () => {
  assertEquals(await check(buildReferenceFixture(), true, null), []);
});

Deno.test("checkMinidump() tells sizes and addresses that cannot be", async () => {
  const damaged = async (at: number, value: number, options = {}) => {
    const dump = buildMinidump(options);
    new DataView(dump.buffer).setUint32(at, value, true);
    return codes(await check(dump, true, null));
  };
  assertEquals((await damaged(28, 0))[0], "message-buffer-size");
  assertEquals((await damaged(28, 0xffffffff))[0], "message-buffer-size");
  assertEquals((await damaged(32, 0))[0], "bitmap-size");
  assertEquals((await damaged(32, 0xfffff000))[0], "bitmap-size");
  assertEquals(await damaged(36, 4097), ["page-table-size"]);
  assertEquals(await damaged(36, 0x801000), ["page-table-size"]);
  assertEquals(await damaged(36, 5, { architecture: "i386" }), ["page-table-size"]);
  assertEquals(await damaged(60, 0x10), ["direct-map-range"]);
});

Deno.test("a message buffer size larger than the file is told although it is below the general limit", async () => {
  const dump = buildReferenceFixture();
  new DataView(dump.buffer).setUint32(28, 0x100000, true);
  assertEquals(codes(await check(dump))[0], "message-buffer-size");
});

Deno.test("completeness() takes the worst verdict", () => {
  assertEquals(completeness([]), true);
  assertEquals(completeness([problem("message-buffer-empty", "")]), true);
  assertEquals(completeness([problem("message-buffer-empty", ""), problem("missing-tail", "")]), null);
  assertEquals(completeness([problem("missing-tail", ""), problem("size-mismatch", "")]), false);
});

Deno.test("problem codes are kebab-case and their meanings one line", () => {
  for (const [code, { meaning }] of Object.entries(PROBLEMS)) {
    assertEquals(/^[a-z]+(-[a-z]+)*$/.test(code), true, code);
    assertEquals(/^(?:savecore(?:'s)? |[A-Z])[^\n]{10,}[^.]$/.test(meaning), true, code);
  }
});

testWithVmcores("checkMinidump() tells that the real vmcores were cut", async () => {
  const amd64 = await realVmcore("amd64");
  const [problem, ...others] = await check(amd64);
  assertEquals(others, []);
  assertEquals(problem!.code, "size-mismatch");
  assertStringIncludes(problem!.message, "101685248 bytes, 5703680 fewer than the 107388928");
  const minidump = decodeMinidump(amd64);
  assertEquals(minidumpSize(await PageMap.read(readAtOf(amd64), minidump)), 107388928);
  assertEquals(codes(await check(await realVmcore("arm64"))), ["size-mismatch"]);
});
