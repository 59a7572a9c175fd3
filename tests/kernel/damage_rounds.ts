/**
 * Reads a kernel and its dump damaged in many ways, one after the other, and tells what took longest and how much
 * memory it all took. A program of its own, so that the memory is its alone.
 *
 * @module
 */

import { readAtOf } from "../../lib/bytes/source.ts";
import { readElfFile } from "../../lib/kernel/elf_file.ts";
import { readElfSymbols } from "../../lib/kernel/elf_symbols.ts";
import type { CodeFile } from "../../lib/kernel/kernel_files.ts";
import { minidumpMemory } from "../../lib/kerneldump/memory.ts";
import { decodeMinidump } from "../../lib/kerneldump/minidump/minidump.ts";
import { PageMap } from "../../lib/kerneldump/minidump/page_map.ts";
import { cpuMs } from "../cpu_time.ts";
import { seededRandom } from "../helpers.ts";
import { allStacks, openDumpedKernel, openFullDump } from "./dumps.ts";

/** What one way of damage leaves. The dump is changed where it is, and mended behind: copies would be counted. */
interface Damaged {
  readonly what: string;
  readonly core: Uint8Array;
  readonly kernel: Uint8Array;
  readonly debug: Uint8Array;
  readonly module: Uint8Array;
  /** A full dump instead of the minidump. */
  readonly full?: Uint8Array;
}

const [directory, chainFile, fullFile] = Deno.args;
const read = (name: string) => Deno.readFileSync(`${directory}/${name}`);
const sound: Damaged = {
  what: "nothing",
  core: read("vmcore"),
  kernel: read("kernel"),
  debug: read("kernel.debug"),
  module: read("crashme.ko.debug"),
};
const random = seededRandom(71);
const below = (limit: number) => Math.floor(random() * limit);

function* cuts(): Generator<Damaged> {
  for (const part of ["core", "kernel", "debug", "module"] as const) {
    const bytes = sound[part];
    for (let round = 0; round < 25; round++) {
      const at = round < 5 ? [0, 1, 63, 64, 4096][round]! : below(bytes.byteLength);
      yield { ...sound, what: `${part} cut at ${at}`, [part]: bytes.subarray(0, at) };
    }
  }
}

/** Bytes of one section changed at a time, of every section that has any. */
async function* flips(): AsyncGenerator<Damaged> {
  for (const part of ["kernel", "debug", "module"] as const) {
    const file = await readElfFile(readAtOf(sound[part]));
    for (const { name, offset, size, type } of file.sections) {
      if (type === 0 || type === 8 || size === 0) continue;
      for (let round = 0; round < 4; round++) {
        const bytes = sound[part].slice();
        for (let i = 0; i < 1 + size / 40; i++) {
          bytes[offset + below(size)] = [0, 0xff, 0x7f, below(256)][round]!;
        }
        yield { ...sound, what: `${part}, ${name} changed`, [part]: bytes };
      }
    }
  }
  for (let round = 0; round < 40; round++) {
    const changes = Array.from({ length: 400 }, () => below(sound.core.byteLength));
    const kept = changes.map((at) => {
      const byte = sound.core[at]!;
      sound.core[at] = below(256);
      return byte;
    });
    yield { ...sound, what: "the dump changed" };
    // The last change of a byte is undone first.
    for (let i = changes.length - 1; i >= 0; i--) sound.core[changes[i]!] = kept[i]!;
  }
}

/** Sizes, places and counts of the files' tables, beyond reason. */
function* lies(): Generator<Damaged> {
  for (const part of ["kernel", "debug", "module"] as const) {
    const view = new DataView(sound[part].slice().buffer);
    const [table, count] = [Number(view.getBigUint64(40, true)), view.getUint16(60, true)];
    for (let i = 0; i < count; i++) {
      for (const field of [24, 32, 40, 56]) {
        for (const value of [2n ** 64n - 1n, 2n ** 40n, 2n ** 31n, 1n]) {
          const bytes = sound[part].slice();
          new DataView(bytes.buffer).setBigUint64(table + 64 * i + field, value, true);
          yield { ...sound, what: `${part}, section ${i} has ${value} at ${field}`, [part]: bytes };
        }
      }
    }
    for (const [at, size] of [[32, 8], [40, 8], [54, 2], [56, 2], [58, 2], [60, 2], [62, 2]] as const) {
      const bytes = sound[part].slice();
      bytes.fill(0xff, at, at + size);
      yield { ...sound, what: `${part}, its header all ones at ${at}`, [part]: bytes };
    }
  }
}

const NUMBERS = [0n, 1n, 8n, 0xfff0n, 0x7fffffffn, 0xffffffffn, 0xffffffff80200000n, 2n ** 64n - 8n];

/** What the kernel's own structures are found by, beyond reason: in the dump, whose memory repeats the file's. */
async function* constants(): AsyncGenerator<Damaged> {
  const file = await readElfFile(readAtOf(sound.kernel));
  const symbols = await readElfSymbols(file, file.section(".symtab")!);
  const wanted =
    /_off_|^pcb_size$|^mp_maxid$|^pidhash|^dumptid$|^stoppcbs$|^stopped_cpus$|^allproc$|^linker_|^panicstr$/;
  for (const { name, value, size } of symbols) {
    if (!wanted.test(name)) continue;
    const at = await placeInDump(value);
    if (at === null) continue;
    for (const number of NUMBERS) {
      const view = new DataView(sound.core.buffer);
      const kept = sound.core.slice(at, at + 8);
      if (size === 4n) view.setUint32(at, Number(BigInt.asUintN(32, number)), true);
      else view.setBigUint64(at, number, true);
      yield { ...sound, what: `${name} is ${number}` };
      sound.core.set(kept, at);
    }
  }
}

/** Where in the file a byte of memory is. */
async function placeInDump(address: bigint): Promise<number | null> {
  const readAt = readAtOf(sound.core);
  const minidump = decodeMinidump(sound.core);
  const memory = minidumpMemory({ readAt, minidump, pageMap: await PageMap.read(readAt, minidump) });
  for await (const piece of memory.readVirtual(address, 1)) {
    return piece.bytes === null ? null : piece.fileOffset;
  }
  return null;
}

/** A full dump cut, changed, and with segments beyond reason. */
function* fullDumps(): Generator<Damaged> {
  if (fullFile === undefined) return;
  const full = Deno.readFileSync(fullFile);
  yield { ...sound, what: "a full dump", full };
  for (let round = 0; round < 12; round++) {
    const at = round < 4 ? [0, 63, 4096, 0x800000][round]! : below(full.byteLength);
    yield { ...sound, what: `a full dump cut at ${at}`, full: full.subarray(0, at) };
  }
  // Page tables and variables lie in the first part of the image and before it.
  for (let round = 0; round < 30; round++) {
    const changes = Array.from({ length: 300 }, () => 0x4a0000 + below(full.byteLength - 0x4a0000));
    const kept = changes.map((at) => {
      const byte = full[at]!;
      full[at] = below(256);
      return byte;
    });
    yield { ...sound, what: "a full dump changed", full };
    for (let i = changes.length - 1; i >= 0; i--) full[changes[i]!] = kept[i]!;
  }
  const view = new DataView(full.buffer);
  for (const field of [8, 24, 32, 40]) {
    for (const value of [2n ** 64n - 1n, 2n ** 62n, 2n ** 45n, 0n]) {
      const at = 64 + 56 + field;
      const kept = view.getBigUint64(at, true);
      view.setBigUint64(at, value, true);
      yield { ...sound, what: `a full dump's segment has ${value} at ${field}`, full };
      view.setBigUint64(at, kept, true);
    }
  }
}

function* chain(): Generator<Damaged> {
  yield { ...sound, what: "lists through all of memory", core: Deno.readFileSync(chainFile!) };
}

async function codeFile(path: string, bytes: Uint8Array, debug: Uint8Array | null): Promise<CodeFile | null> {
  try {
    const open = (part: Uint8Array) => readElfFile(readAtOf(part));
    return { path, file: await open(bytes), debug: debug === null ? null : await open(debug) };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Processes, and threads of each, whose stacks and details are read. */
const MAX_ASKED = 1000;

async function ask({ core, kernel, debug, module, full }: Damaged): Promise<void> {
  const kernelFile = await codeFile("kernel", kernel, debug) ?? await codeFile("kernel", kernel, null);
  const moduleFile = await codeFile("crashme.ko", module, null);
  const files = { kernel: kernelFile, module: () => Promise.resolve(moduleFile) };
  const opening = full === undefined ? openDumpedKernel(core, files) : openFullDump(full, files);
  const opened = await opening
    .catch((error) => {
      // A dump without its header is none.
      if (error instanceof SyntaxError) return null;
      throw error;
    });
  if (opened === null) return;
  const processes = opened.processes.slice(0, MAX_ASKED).map((process) => ({
    ...process,
    threads: process.threads.slice(0, MAX_ASKED),
  }));
  await allStacks({ ...opened, processes });
  for (const name of ["test_pair", "allproc", "dumppcb", "version"]) await opened.variable(name);
  for (const process of processes) await opened.details(process);
}

const collectGarbage = (globalThis as { gc?: () => void }).gc;

/** Of the many lies about sections and constants this share has its turn; NETDUMP_DAMAGE=1 has all of them. */
const SHARE = Number(Deno.env.get("NETDUMP_DAMAGE") ?? 0.3);
const dice = seededRandom(72);

async function* some(all: Iterable<Damaged> | AsyncIterable<Damaged>): AsyncGenerator<Damaged> {
  for await (const damaged of all) if (dice() < SHARE) yield damaged;
}

let slowest = { what: "", ms: 0 };
let rounds = 0;
for (const all of [cuts(), flips(), some(lies()), some(constants()), chain(), fullDumps()]) {
  for await (const damaged of all) {
    const started = cpuMs();
    try {
      await ask(damaged);
    } catch (error) {
      throw new Error(damaged.what, { cause: error });
    }
    const ms = cpuMs() - started;
    if (ms > slowest.ms) slowest = { what: damaged.what, ms };
    // Memory is told for a reading, not for the garbage of a thousand.
    if (++rounds % 10 === 0) collectGarbage?.();
  }
}
const [, peak] = /^VmHWM:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
console.log(JSON.stringify({ rounds, slowest, peakMiB: Math.ceil(Number(peak) / 1024) }));
