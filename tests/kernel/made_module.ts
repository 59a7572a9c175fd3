/** The module of a kernel that was made, loaded as the kernel's linker does (reference kernel-symbols.md, section 11.2). */

import { readAtOf } from "../../lib/bytes/source.ts";
import { readElfFile } from "../../lib/kernel/elf_file.ts";
import { hex, type Workshop } from "./made_workshop.ts";

/** A module in memory. */
export interface PlacedModule {
  readonly image: Uint8Array;
  readonly entry: bigint;
  /** Where its sections lie; of a shared object only its beginning. */
  readonly sections: ReadonlyMap<string, bigint>;
}

/** Where the module lies, from the kernel's beginning, and the memory it has: as `made/kern.h` has it. */
export const MODULE_OFFSET = 0x100000n;
export const MODULE_BYTES = 0x4000;

/** Makes the module, `crashme.ko` and `crashme.ko.debug`, ready to be placed for a kernel at some base. */
export async function buildModule(
  workshop: Workshop,
): Promise<{ placedAt(base: bigint): Promise<PlacedModule> }> {
  const { target: { relocatableModules }, directory, compile, link, split } = workshop;
  await compile("module.c", "crashme.full", relocatableModules ? [] : ["-fpic", "-fvisibility=hidden"]);
  if (!relocatableModules) {
    await link(["-shared", "-o", "crashme.so", "crashme.full"]);
    await Deno.rename(`${directory}/crashme.so`, `${directory}/crashme.full`);
  }
  await split("crashme.full", "crashme.ko");
  const place = relocatableModules ? linkModule : mapModule;
  return { placedAt: (base) => place(workshop, base + MODULE_OFFSET) };
}

/** The linker, told where everything lies, is the loader: sections in the file's order (section 11.2). */
async function linkModule({ directory, link }: Workshop, base: bigint): Promise<PlacedModule> {
  const file = await readElfFile(readAtOf(await Deno.readFile(`${directory}/crashme.ko`)));
  const sections = new Map<string, bigint>();
  let end = base;
  for (const { name, allocated, size, alignment } of file.sections) {
    if (!allocated || size === 0) continue;
    end = (end + BigInt(alignment) - 1n) / BigInt(alignment) * BigInt(alignment);
    sections.set(name, end);
    end += BigInt(size);
  }
  const places = [...sections].map(([name, address]) => `${name} ${hex(address)} : { *(${name}) }`);
  await Deno.writeTextFile(`${directory}/place.ld`, `SECTIONS { ${places.join("\n")} }`);
  await link(["-T", "place.ld", "-e", "crashme_event", "-o", "placed", "crashme.ko"]);
  const bytes = await Deno.readFile(`${directory}/placed`);
  const placed = await readElfFile(readAtOf(bytes));
  const image = new Uint8Array(Number(end - base));
  for (const [name, address] of sections) {
    const { type, offset, size } = placed.section(name)!;
    if (type !== NOBITS) image.set(bytes.subarray(offset, offset + size), Number(address - base));
  }
  return { image, entry: await entryOf(`${directory}/placed`), sections };
}

/** A shared object without relocations lies in memory as in its segments. */
async function mapModule({ directory, run }: Workshop, base: bigint): Promise<PlacedModule> {
  const bytes = await Deno.readFile(`${directory}/crashme.ko`);
  const file = await readElfFile(readAtOf(bytes));
  const image = new Uint8Array(MODULE_BYTES);
  let end = 0;
  for (const { allocated, type, address, offset, size } of file.sections) {
    if (!allocated) continue;
    if (type !== NOBITS) image.set(bytes.subarray(offset, offset + size), Number(address));
    end = Math.max(end, Number(address) + size);
  }
  const symbols = await run("nm", ["crashme.full"]);
  const entry = BigInt(`0x${/^([0-9a-f]+) \w crashme_event$/m.exec(symbols)![1]}`);
  return { image: image.subarray(0, end), entry: base + entry, sections: new Map([["", base]]) };
}

const NOBITS = 8;

async function entryOf(path: string): Promise<bigint> {
  const { buffer } = await Deno.readFile(path);
  const view = new DataView(buffer);
  return view.getUint8(4) === 2 ? view.getBigUint64(24, true) : BigInt(view.getUint32(24, true));
}
