import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { readAtOf } from "../../lib/bytes/source.ts";
import { readTextdump, readTextdumpMember, type Textdump } from "../../lib/kerneldump/textdump.ts";
import { buildTextdump, concatenate } from "./synthetic.ts";
import { testWithTool } from "./tools.ts";

const read = (bytes: Uint8Array) => readTextdump(readAtOf(bytes));
const names = (textdump: Textdump) => textdump.members.map((m) => m.name);
const codes = (textdump: Textdump) => textdump.problems.map((p) => p.code);

Deno.test("readTextdump() lists the kernel's members, without end marker and with empty version bytes", async () => {
  const dump = buildTextdump();
  const textdump = await read(dump);
  assertEquals(names(textdump), ["ddb.txt", "config.txt", "msgbuf.txt", "panic.txt", "version.txt"]);
  assertEquals(textdump.problems, []);
  assertEquals(textdump.size, dump.byteLength);
  assertEquals(textdump.members[3], {
    name: "panic.txt",
    offset: 3584,
    size: 4,
    mtime: 1684328878,
    complete: true,
  });
  const text = (name: string, limit = 1000) => readTextdumpMember(readAtOf(dump), textdump, name, limit);
  assertEquals(await text("panic.txt"), "boom");
  assertEquals(await text("version.txt"), "FreeBSD 13.2-RELEASE GENERIC\n");
  assertEquals(await text("msgbuf.txt", 5), "<6>da");
  assertEquals(await text("nothing.txt"), null);
});

Deno.test("readTextdump() does not take the block of an empty panic text for the end", async () => {
  const textdump = await read(
    buildTextdump({ "msgbuf.txt": "a\n", "panic.txt": "", "version.txt": "FreeBSD\n" }),
  );
  assertEquals(names(textdump), ["msgbuf.txt", "panic.txt", "version.txt"]);
  assertEquals(textdump.problems, []);
});

Deno.test("readTextdump() ends at the end marker of an archive that another tool wrote", async () => {
  const dump = concatenate([
    buildTextdump(),
    new Uint8Array(1024),
    new TextEncoder().encode("junk".repeat(200)),
  ]);
  assertEquals((await read(dump)).problems, []);
});

Deno.test("readTextdump() tells where a textdump was cut", async () => {
  const dump = buildTextdump();
  const inside = await read(dump.subarray(0, 3586));
  assertEquals(codes(inside), ["textdump-truncated"]);
  assertStringIncludes(inside.problems[0]!.message, "inside panic.txt, which has 4 bytes");
  assertEquals(inside.members.at(-1)?.complete, false);
  const header = await read(dump.subarray(0, 3172));
  assertStringIncludes(header.problems[0]!.message, "the block at offset 3072");
  assertEquals(header.members.length, 3);
  assertEquals(codes(await read(dump.subarray(0, 3072))), [], "between two members nothing tells");
});

Deno.test("readTextdump() finds the members behind a damaged header", async () => {
  const dump = buildTextdump();
  dump[10]! ^= 1;
  const textdump = await read(dump);
  assertEquals(names(textdump), ["config.txt", "msgbuf.txt", "panic.txt", "version.txt"]);
  assertEquals(codes(textdump), ["textdump-damaged"]);
  assertStringIncludes(textdump.problems[0]!.message, "offset 0");
});

Deno.test("readTextdump() tells members that the kernel does not write", async () => {
  const textdump = await read(buildTextdump({ "panic.txt": "x", "evil\x1b.txt": "y" }));
  assertEquals(codes(textdump), ["textdump-unknown-member"]);
  assert(!textdump.problems[0]!.message.includes("\x1b"), "names never reach a message");
});

Deno.test("readTextdump() lists a bounded number of members", async () => {
  const one = buildTextdump({ "ddb.txt": "" });
  const textdump = await read(concatenate(Array.from({ length: 1000 }, () => one)));
  assert(textdump.members.length <= 64, `${textdump.members.length}`);
});

Deno.test("textdumps with any bytes changed and any cut are read, never worse", async () => {
  const whole = buildTextdump();
  const cases = fc.tuple(
    fc.nat(whole.byteLength),
    fc.array(fc.tuple(fc.nat(whole.byteLength - 1), fc.nat(255)), { maxLength: 8 }),
  );
  await fc.assert(fc.asyncProperty(cases, async ([cut, changes]) => {
    const dump = whole.slice();
    for (const [at, value] of changes) dump[at] = value;
    const readAt = readAtOf(dump.subarray(0, cut));
    const textdump = await readTextdump(readAt);
    for (const { name } of textdump.members) {
      const text = await readTextdumpMember(readAt, textdump, name, 1000);
      assert(text !== null && text.length <= 1000);
    }
  }));
});

testWithTool("tar", "tar lists the synthetic textdump as readTextdump() does", async (run) => {
  const dump = buildTextdump();
  const lines = (await run(["--numeric-owner", "-tvf"], dump)).trim().split("\n");
  const { members } = await read(dump);
  assertEquals(
    lines.map((line) => [line.split(/ +/)[2], line.split(/ +/).at(-1)]),
    members.map((m) => [String(m.size), m.name]),
  );
});
