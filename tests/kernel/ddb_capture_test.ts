import { assertEquals } from "@std/assert";
import { readCapture } from "../../lib/kernel/ddb_capture.ts";
import type { ElfSymbol } from "../../lib/kernel/elf_symbols.ts";
import { KernelGlobals } from "../../lib/kernel/kernel_globals.ts";
import { KernelMemory } from "../../lib/kernel/kernel_memory.ts";
import { SymbolTable } from "../../lib/kernel/symbol_table.ts";
import { Written } from "./written_memory.ts";

const POINTER = 0xffffffff81000000n;
const OFFSET = 0xffffffff81000100n;
const BUFFER = 0xfffffe0000001f00n;

async function capture(options: { length?: number; pointer?: bigint; names?: readonly string[] }) {
  const text = "db> bt\nvpanic() at vpanic+0x1\n".padEnd(600, ".");
  const written = new Written();
  written.word(POINTER, options.pointer ?? BUFFER);
  written.word(OFFSET, BigInt(options.length ?? text.length), 4);
  written.write(BUFFER, new TextEncoder().encode(text));
  const symbol = (name: string, value: bigint): ElfSymbol => ({
    name,
    value,
    size: 8n,
    type: 1,
    binding: 0,
    sectionIndex: 1,
  });
  const known = [symbol("db_capture_buf", POINTER), symbol("db_capture_bufoff", OFFSET)]
    .filter(({ name }) => options.names?.includes(name) ?? true);
  const memory = new KernelMemory(written.memory(), { littleEndian: true, wordSize: 8 });
  return await readCapture(new KernelGlobals(memory, new SymbolTable(known, true), null));
}

Deno.test("readCapture() reads what the debugger captured, and says what cannot be told", async () => {
  const whole = await capture({});
  assertEquals([whole?.length, whole?.slice(0, 7)], [600, "db> bt\n"]);
  assertEquals(await capture({ length: 6 }), "db> bt");
  assertEquals(await capture({ length: 0 }), "", "nothing was captured");
  assertEquals(await capture({ length: 0, pointer: 0n }), "");
  assertEquals(await capture({ length: -1 }), null);
  assertEquals(await capture({ length: 2 ** 30 }), null, "beyond reason");
  assertEquals(await capture({ length: 2 ** 20 }), null, "more than was dumped");
  assertEquals(await capture({ pointer: 0n }), null);
  assertEquals(await capture({ pointer: 0xfffffe0009999000n }), null, "not in the dump");
  for (const name of ["db_capture_buf", "db_capture_bufoff"]) {
    assertEquals(await capture({ names: [name] }), null, `only ${name}`);
  }
});
