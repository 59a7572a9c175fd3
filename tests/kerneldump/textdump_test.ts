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

const MEMBERS = {
  "ddb.txt": "db:0:kdb.enter.default>  bt\nTracing pid 0 tid 100000 td 0xffffffff81\n",
  "msgbuf.txt": "<6>da0: removed\npanic: boom\ncpuid = 1\n",
  "panic.txt": "boom",
  "version.txt": "FreeBSD 13.2-RELEASE GENERIC\n",
};

/** A header of another tar: GNU's magic, another type, another name. */
function changeHeader(
  archive: Uint8Array,
  at: number,
  fields: { magic?: string; type?: string; name?: string },
) {
  const header = archive.subarray(at, at + 512);
  const put = (offset: number, text: string) => new TextEncoder().encodeInto(text, header.subarray(offset));
  if (fields.magic !== undefined) put(257, fields.magic);
  if (fields.type !== undefined) put(156, fields.type);
  if (fields.name !== undefined) put(0, `${fields.name}\0`);
  put(148, " ".repeat(8));
  put(148, header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6) + "\0");
}

/** Calls for each header of an archive where it is. */
function forEachHeader(archive: Uint8Array, use: (at: number, name: string) => void): void {
  for (let at = 0; at < archive.byteLength;) {
    const field = (offset: number, length: number) =>
      new TextDecoder().decode(archive.subarray(at + offset, at + offset + length)).replace(/\0.*$/s, "");
    const [name, size] = [field(0, 100), parseInt(field(124, 12), 8)];
    use(at, name);
    at += 512 + 512 * (name.endsWith("panic.txt") ? 1 : Math.ceil(size / 512));
  }
}

/** One header with its contents, of the given type. */
function extraHeader(type: string, name: string, contents: string): Uint8Array {
  const archive = buildTextdump({ [name]: contents });
  changeHeader(archive, 0, { type });
  return archive;
}

async function textsOf(archive: Uint8Array): Promise<Record<string, string | null>> {
  const textdump = await read(archive);
  assertEquals(codes(textdump), []);
  const texts: Record<string, string | null> = {};
  for (const name of names(textdump)) {
    texts[name] = await readTextdumpMember(readAtOf(archive), textdump, name, 1e6);
  }
  return texts;
}

Deno.test("readTextdump() reads what GNU tar, ./ names and folders make of a textdump", async () => {
  const gnu = buildTextdump(MEMBERS);
  forEachHeader(gnu, (at) => changeHeader(gnu, at, { magic: "ustar  \0" }));
  assertEquals(await textsOf(gnu), MEMBERS);
  for (const prefix of ["./", "crash/textdump/"]) {
    const archive = concatenate([extraHeader("5", prefix, ""), buildTextdump(MEMBERS)]);
    forEachHeader(archive, (at, name) => {
      if (name !== prefix) changeHeader(archive, at, { name: prefix + name });
    });
    assertEquals(await textsOf(archive), MEMBERS);
  }
});

Deno.test("readTextdump() reads pax and GNU headers about the member behind them, as none of their own", async () => {
  const global = extraHeader("g", "pax_global_header", "30 comment=made on a FreeBSD 14\n");
  const time = extraHeader("x", "PaxHeader/x", "30 mtime=1763719622.123456789\n20 ctime=1763719622\n");
  assertEquals(await textsOf(concatenate([global, time, buildTextdump(MEMBERS)])), MEMBERS);
  const renamed = (header: Uint8Array) =>
    textsOf(concatenate([header, buildTextdump({ cut: "boom" }), buildTextdump({ "version.txt": "v" })]));
  const wanted = { "panic.txt": "boom", "version.txt": "v" };
  assertEquals(await renamed(extraHeader("x", "PaxHeader/cut", "22 path=dir/panic.txt\n")), wanted);
  assertEquals(await renamed(extraHeader("L", "././@LongLink", "dir/panic.txt\0")), wanted);
});

Deno.test("readTextdump() says once how many members the kernel does not write", async () => {
  const textdump = await read(buildTextdump({ "a": "1", "b": "2", "panic.txt": "p" }));
  assertEquals(codes(textdump), ["textdump-unknown-member"]);
  assertStringIncludes(textdump.problems[0]!.message, "2 members");
});

Deno.test("readTextdump() tells that a pax header is cut", async () => {
  const archive = extraHeader("x", "PaxHeader/x", "x".repeat(600));
  assertEquals(codes(await read(archive.subarray(0, 700))), ["textdump-truncated"]);
});
