import { assertEquals } from "@std/assert";
import { readLineTable } from "../../lib/kernel/dwarf/lines.ts";
import { SharedSections } from "../../lib/kernel/dwarf/sections.ts";
import { ByteWriter } from "./elf_writer.ts";

const TEXT = 0xffffffff80200000n;

/** A program of version 4, one file, whose rows follow each other 4 bytes apart; `null` ends a sequence. */
function lineProgram(lines: readonly (number | null)[]): Uint8Array {
  const header = new ByteWriter().u8(1, 1, 1, 0xfb, 14, 13).u8(0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1).u8(0);
  header.string("kern.c").u8(0, 0, 0, 0);
  const program = new ByteWriter();
  let [address, line] = [TEXT, 1];
  const place = () => program.u8(0, 9, 2).integer(8, address);
  place();
  for (const next of lines) {
    if (next === null) {
      program.u8(0, 1, 1);
      line = 1;
      place();
    } else {
      program.u8(3).sleb(next - line).u8(1, 2, 4);
      line = next;
      address += 4n;
    }
  }
  const [head, body] = [header.done(), program.u8(0, 1, 1).done()];
  const rest = new ByteWriter().integer(2, 4).integer(4, head.byteLength).bytes(head).bytes(body).done();
  return new ByteWriter().integer(4, rest.byteLength).bytes(rest).done();
}

Deno.test("code that belongs to no line is told with the line before it, in its own sequence only", async () => {
  const shared = await SharedSections.read({
    littleEndian: true,
    addressSize: 8,
    section: () => Promise.resolve(null),
  });
  const table = readLineTable(lineProgram([10, 0, 0, 12, null, 0, 20]), shared, 8)!;
  const lines = Array.from({ length: 7 }, (_, i) => table.at(TEXT + BigInt(4 * i))?.line ?? null);
  assertEquals(lines, [10, 10, 10, 12, null, 20, null]);
  assertEquals(table.at(TEXT + 6n), { file: "kern.c", line: 10 });
});
