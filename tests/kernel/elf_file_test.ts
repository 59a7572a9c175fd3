import { assertEquals, assertRejects } from "@std/assert";
import { deflateSync } from "node:zlib";
import { readAtOf, readSpan } from "../../lib/bytes/source.ts";
import { type ElfFile, readElfFile } from "../../lib/kernel/elf_file.ts";
import { isKernelFile, readBuildId, readDebugLink } from "../../lib/kernel/elf_identity.ts";
import { readElfSymbols } from "../../lib/kernel/elf_symbols.ts";
import { unhex } from "../helpers.ts";
import { ByteWriter, StringTable, writeElf, writeSymbols, type WrittenElf } from "./elf_writer.ts";
import { toyFile, toyTest } from "./toy.ts";

const TEXT = new TextEncoder();
const KERNBASE = 0xffffffff80200000n;

function open(elf: WrittenElf): Promise<ElfFile> {
  return readElfFile(readAtOf(writeElf(elf)));
}

async function contentsOf(file: ElfFile, name: string): Promise<Uint8Array | null> {
  const contents = await file.contents(file.section(name)!);
  return contents === null ? null : await readSpan(contents.readAt, 0, contents.size);
}

for (const bits of [32, 64] as const) {
  for (const littleEndian of [true, false]) {
    const what = `${bits} bits, ${littleEndian ? "little" : "big"} endian`;
    Deno.test(`readElfFile() reads sections, symbols and what names a build: ${what}`, async () => {
      const strings = new StringTable();
      const base = bits === 64 ? KERNBASE : 0x800000n;
      const symbols = writeSymbols(
        [
          { name: "panic", value: base + 16n, size: 32 },
          { name: "hz", value: base + 0x1000n, size: 4, type: 1, binding: 0, section: 2 },
        ],
        strings,
        { bits, littleEndian },
      );
      const note = new ByteWriter(littleEndian).u32(4).u32(3).u32(3).string("GNU").bytes(unhex("a1b2c3"));
      const link = new ByteWriter(littleEndian).string("kernel.debug").align(4).u32(0x12345678);
      const file = await open({
        bits,
        littleEndian,
        machine: bits === 64 ? 62 : 3,
        sections: [
          { name: ".text", flags: 6, address: base, bytes: unhex("554889e5c3") },
          { name: ".interp", flags: 2, address: base + 0x800n, bytes: TEXT.encode("/red/herring\0") },
          { name: ".bss", flags: 3, type: 8, address: base + 0x2000n, size: 0x500 },
          { name: ".symtab", type: 2, bytes: symbols, link: 5 },
          { name: ".strtab", type: 3, bytes: strings.done() },
          { name: ".note.gnu.build-id", type: 7, flags: 2, address: base + 0x900n, bytes: note.done() },
          { name: ".gnu_debuglink", bytes: link.done() },
        ],
        segments: [{ type: 3, section: 2 }, { type: 1, section: 1 }],
      });
      assertEquals(file.header.class, bits);
      assertEquals(file.header.machine, bits === 64 ? "amd64" : "i386");
      assertEquals(file.sections.map((s) => s.name).slice(0, 3), ["", ".text", ".interp"]);
      const text = file.section(".text")!;
      assertEquals([text.address, text.size, text.executable], [base, 5, true]);
      assertEquals(await contentsOf(file, ".bss"), null);
      assertEquals(file.section(".bss")!.size, 0x500);
      assertEquals((await readElfSymbols(file, file.section(".symtab")!)).slice(1), [
        { name: "panic", value: base + 16n, size: 32n, type: 2, binding: 1, sectionIndex: 1 },
        { name: "hz", value: base + 0x1000n, size: 4n, type: 1, binding: 0, sectionIndex: 2 },
      ]);
      assertEquals(await readBuildId(file), { hex: "a1b2c3", noteAddress: base + 0x900n, noteSize: 19 });
      assertEquals(await readDebugLink(file), { name: "kernel.debug", crc32: 0x12345678 });
      assertEquals(await isKernelFile(file), true);
      assertEquals(await file.readVirtual(base + 1n, 100), unhex("4889e5c3"));
      assertEquals(await file.readVirtual(base + 0x2000n, 4), new Uint8Array(0));
    });

    Deno.test(`readElfFile() decompresses sections: ${what}`, async () => {
      const plain = TEXT.encode("debug ".repeat(5000));
      const header = new ByteWriter(littleEndian).u32(1);
      if (bits === 64) header.u32(0).integer(8, plain.byteLength).integer(8, 1);
      else header.u32(plain.byteLength).u32(1);
      const compressed = header.bytes(deflateSync(plain)).done();
      const file = await open({
        bits,
        littleEndian,
        sections: [
          { name: ".debug_info", flags: 0x800, bytes: compressed },
          { name: ".cut", flags: 0x800, bytes: compressed.subarray(0, compressed.byteLength - 20) },
          {
            name: ".unknown",
            flags: 0x800,
            bytes: new ByteWriter(littleEndian).u32(9).bytes(compressed).done(),
          },
        ],
      });
      assertEquals(await contentsOf(file, ".debug_info"), plain);
      const cut = await contentsOf(file, ".cut");
      assertEquals(cut, plain.subarray(0, cut!.byteLength));
      assertEquals(await contentsOf(file, ".unknown"), null);
    });
  }
}

Deno.test("readElfFile() never gives a debug file that leads into another directory", async () => {
  for (const name of ["../../etc/passwd", "a/b", "..", ""]) {
    const link = new ByteWriter().string(name).align(4).u32(1).done();
    assertEquals(
      await readDebugLink(await open({ sections: [{ name: ".gnu_debuglink", bytes: link }] })),
      null,
    );
  }
});

Deno.test("readElfFile() refuses what is no ELF file, and reads any file that was cut or changed", async () => {
  await assertRejects(
    () => readElfFile(readAtOf(new Uint8Array(100))),
    SyntaxError,
    "the magic is not ELF's",
  );
  const strings = new StringTable();
  const symbols = writeSymbols([{ name: "panic", value: KERNBASE }], strings);
  const good = writeElf({
    sections: [
      { name: ".symtab", type: 2, bytes: symbols, link: 2 },
      { name: ".strtab", type: 3, bytes: strings.done() },
    ],
  });
  for (let at = 4; at < good.byteLength; at++) {
    for (const changed of [good.subarray(0, at), good.map((byte, i) => i === at ? byte ^ 0xff : byte)]) {
      try {
        const file = await readElfFile(readAtOf(changed));
        for (const section of file.sections) await readElfSymbols(file, section);
        await readBuildId(file);
        await readDebugLink(file);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
      }
    }
  }
});

toyTest("readElfFile() reads the kernel of amd64-1 and its debug file", async () => {
  const kernel = await toyFile("amd64-1/kernel");
  assertEquals((await readBuildId(kernel))?.hex, "a83475eaee07b4ed68ed1080d1eb678f55db97ee");
  assertEquals(await isKernelFile(kernel), true);
  assertEquals((await readDebugLink(kernel))?.name, "kernel.debug");
  const symbols = await readElfSymbols(kernel, kernel.section(".symtab")!);
  assertEquals(symbols.length, 0xc18 / 24);
  assertEquals(symbols.find((s) => s.name === "doadump")?.value, 0xffffffff80204b7cn);
  const debug = await toyFile("amd64-1/kernel.debug");
  assertEquals((await readBuildId(debug))?.hex, "a83475eaee07b4ed68ed1080d1eb678f55db97ee");
  assertEquals(await isKernelFile(debug), null);
});
