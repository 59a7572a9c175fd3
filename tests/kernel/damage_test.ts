import { assert } from "@std/assert";
import { readAtOf } from "../../lib/bytes/source.ts";
import { readCtf } from "../../lib/kernel/ctf.ts";
import { openDebugInfo } from "../../lib/kernel/debug_info.ts";
import { callerFrame } from "../../lib/kernel/dwarf/caller.ts";
import { type ElfFile, readElfFile } from "../../lib/kernel/elf_file.ts";
import { isKernelFile, readBuildId, readDebugLink } from "../../lib/kernel/elf_identity.ts";
import { readElfSymbols } from "../../lib/kernel/elf_symbols.ts";
import { resolveType, sizeOfType, type Types } from "../../lib/kernel/types.ts";
import { decodeValue } from "../../lib/kernel/value.ts";
import { formatValue, valueToJson } from "../../lib/kernel/value_text.ts";
import { seededRandom } from "../helpers.ts";
import { gccTest } from "./gcc.ts";
import { toyBytes, toyTest } from "./toy.ts";
import { cpuMs } from "../cpu_time.ts";

/** What is asked of a file, damaged or not. */
interface Questions {
  readonly pcs: readonly bigint[];
  readonly structs: readonly string[];
  readonly variables: readonly string[];
}

/** Asks a file everything. It must answer, whatever the answer. */
async function ask(bytes: Uint8Array, { pcs, structs, variables }: Questions): Promise<void> {
  let file: ElfFile;
  try {
    file = await readElfFile(readAtOf(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return;
    throw error;
  }
  await readBuildId(file);
  await readDebugLink(file);
  await isKernelFile(file);
  for (const name of [".symtab", ".dynsym"]) {
    const section = file.section(name);
    if (section !== null) await readElfSymbols(file, section);
  }
  const info = openDebugInfo(file, file.header.type === 1 ? 0xffffffff80300000n : 0n);
  for (const pc of pcs) {
    await info.sourceFrames(pc);
    const row = await info.frameRow(pc);
    if (row === null) continue;
    const registers = new Map(
      Array.from({ length: 32 }, (_, i) => [i, 0xfffffe0000000000n + BigInt(i)] as const),
    );
    await callerFrame(row, registers, 7, (_, length) => Promise.resolve(new Uint8Array(length)));
  }
  await askTypes(info.types, structs, variables);
  const ctf = await readCtf(file);
  if (ctf !== null) await askTypes(ctf, structs, variables);
}

async function askTypes(
  types: Types,
  structs: readonly string[],
  variables: readonly string[],
): Promise<void> {
  const context = {
    littleEndian: true,
    symbolAt: () => null,
    readMemory: () => Promise.resolve(new TextEncoder().encode("text\0")),
  };
  for (const name of structs) {
    const struct = await types.struct(name);
    for (const member of struct?.members ?? []) sizeOfType(resolveType(member.type));
  }
  for (const name of variables) {
    const type = await types.variable(name);
    if (type === null) continue;
    const value = await decodeValue(
      type,
      new Uint8Array(Math.min(sizeOfType(type) ?? 16, 4096)).fill(1),
      context,
    );
    formatValue(value);
    JSON.stringify(valueToJson(value));
  }
}

/** Limits far above what a busy machine needs: what they catch takes minutes or all memory. */
const MAX_MS = 20_000;

/** Asks of many damaged copies: cut, or with bytes changed inside one section. */
async function askDamaged(bytes: Uint8Array, questions: Questions, rounds: number): Promise<void> {
  const random = seededRandom(bytes.byteLength);
  const below = (limit: number) => Math.floor(random() * limit);
  const file = await readElfFile(readAtOf(bytes));
  const sections = file.sections.filter(({ type, size }) => type !== 0 && type !== 8 && size > 0);
  for (let round = 0; round < rounds; round++) {
    let damaged = bytes.slice();
    const section = sections[round % sections.length]!;
    let what = `${section.name}, round ${round}`;
    if (round % 7 === 6) {
      damaged = damaged.subarray(0, below(bytes.byteLength));
      what = `cut to ${damaged.byteLength} bytes`;
    } else {
      for (let flips = 1 + below(8); flips > 0; flips--) {
        damaged[section.offset + below(section.size)] = [0, 0xff, 0x7f, 0x80, below(256)][below(5)]!;
      }
    }
    const start = cpuMs();
    try {
      await ask(damaged, questions);
    } catch (error) {
      throw new Error(`Damaged ${what}`, { cause: error });
    }
    const took = cpuMs() - start;
    assert(took < MAX_MS, `${what}: ${took} ms`);
  }
}

for (
  const flags of [["-O2", "-gdwarf-5", "-fasynchronous-unwind-tables"], ["-O2", "-gdwarf-2"], [
    "-c",
    "-O1",
    "-gdwarf-4",
  ], ["-O2", "-g", "-gz=zlib"]]
) {
  gccTest(`a damaged program is read up to the damage: ${flags.join(" ")}`, flags, async ({ bytes }) => {
    const start = flags.includes("-c") ? 0xffffffff80300000n : 0x401000n;
    const pcs = Array.from({ length: 12 }, (_, i) => start + BigInt(i * 24));
    const questions = { pcs, structs: ["big", "pair", "no"], variables: ["bigs", "test_pair", "no"] };
    await askDamaged(bytes, questions, 400);
  });
}

for (
  const [path, base] of [
    ["amd64-1/kernel", 0xffffffff80204b80n],
    ["amd64-1/kernel.debug", 0xffffffff80204b80n],
    ["amd64-1/crashme.ko.debug", 0xffffffff80300000n],
    ["arm64-1/kernel.debug", 0xffff000000004280n],
  ] as const
) {
  toyTest(`a damaged ${path} is read up to the damage`, async () => {
    const pcs = Array.from({ length: 10 }, (_, i) => base + BigInt(i * 20));
    const questions = { pcs, structs: ["thread", "proc", "no"], variables: ["test_pair", "dumppcb", "no"] };
    await askDamaged(await toyBytes(path), questions, 300);
  });
}
