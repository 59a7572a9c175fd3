/**
 * Processes and threads out of the kernel's lists (reference kernel-symbols.md, sections 5 and 7).
 *
 * @module
 */

import { stringAt } from "./elf_file.ts";
import type { KernelGlobals } from "./kernel_globals.ts";
import type { KernelMemory, WordFormat } from "./kernel_memory.ts";
import type { Machine, Registers, ReleaseFacts } from "./machine/machine.ts";

/** A process of the kernel that crashed. Names are unfiltered. */
export interface Process {
  readonly address: bigint;
  readonly pid: number;
  readonly name: string;
  readonly zombie: boolean;
  readonly threads: readonly Thread[];
}

/** A thread. */
export interface Thread {
  readonly address: bigint;
  readonly tid: number;
  /** Empty where it has none of its own. */
  readonly name: string;
  /** The CPU it ran on; `null` if on none. */
  readonly cpu: number | null;
}

/** The registers that belong to a thread, and where they were. */
export interface ThreadRegisters {
  readonly from: "dumppcb" | "stoppcbs" | "pcb";
  readonly registers: Registers;
}

const NAME_BYTES = 20;
/** FreeBSD's pids end here, so there are no more processes. */
const MAX_PID = 99_999;
const MAX_PROCESSES = MAX_PID + 1;
const MAX_THREADS = 100_000;
/** Entries whose pid cannot be one are damage: a list of nothing else is not followed further. */
const MAX_DAMAGED = 100;
/** The structs of processes and threads are smaller. */
const MAX_STRUCT_BYTES = 8192n;
/** In a char of older kernels: on no CPU. */
const NO_CPU = 255;
const MAX_HASH_MASK = 1n << 24n;

/** Where the fields of processes and threads lie. */
interface Offsets {
  readonly pid: number;
  readonly comm: number;
  readonly list: number;
  readonly threads: number;
  readonly tid: number;
  readonly name: number;
  readonly oncpu: number;
  readonly plist: number;
}

const OFFSET_SYMBOLS: Readonly<Record<keyof Offsets, string>> = {
  pid: "proc_off_p_pid",
  comm: "proc_off_p_comm",
  list: "proc_off_p_list",
  threads: "proc_off_p_threads",
  tid: "thread_off_td_tid",
  name: "thread_off_td_name",
  oncpu: "thread_off_td_oncpu",
  plist: "thread_off_td_plist",
};

/** Reads all processes with their threads, in the kernel's order, zombies last; empty if its lists are not known. */
export async function readProcesses(globals: KernelGlobals): Promise<Process[]> {
  const offsets = await readOffsets(globals);
  const first = await globals.word("allproc");
  if (offsets === null || first === null) return [];
  const { memory } = globals;
  /** By which list each was found last. */
  const seen = new Map<bigint, number>();
  let lists = 0;
  const threads = new Set<bigint>();
  let damaged = 0;
  const processes: Process[] = [];
  /** Follows a list to its end or to where it closes; entries of other lists are passed over. */
  const walk = async (from: bigint, next: bigint, zombie: boolean) => {
    const list = ++lists;
    for (let at: bigint | null = from; at !== null && at !== 0n; at = await memory.word(at + next)) {
      const found = seen.get(at);
      if (found === list) break;
      seen.set(at, list);
      if (found !== undefined) continue;
      if (seen.size > MAX_PROCESSES || damaged >= MAX_DAMAGED) break;
      const process = await readProcess(globals, offsets, { address: at, zombie, seen: threads });
      if (process !== null) processes.push(process);
      else damaged++;
    }
  };
  await walk(first, BigInt(offsets.list), false);
  const zombies = await globals.word("zombproc");
  if (zombies !== null) await walk(zombies, BigInt(offsets.list), true);
  for (const [head, next] of await hashChains(globals)) {
    // What no other list has is a zombie (section 5.2).
    await walk(head, next, true);
  }
  return processes;
}

async function readOffsets(globals: KernelGlobals): Promise<Offsets | null> {
  const offsets: Partial<Record<keyof Offsets, number>> = {};
  for (const [key, symbol] of Object.entries(OFFSET_SYMBOLS) as [keyof Offsets, string][]) {
    const offset = await globals.offset(symbol);
    if (offset === null || offset > MAX_STRUCT_BYTES) return null;
    offsets[key] = Number(offset);
  }
  return offsets as Offsets;
}

/** The heads of the chains of processes by pid, with the offset of their next pointers. */
async function hashChains(globals: KernelGlobals): Promise<(readonly [head: bigint, next: bigint])[]> {
  const next = await globals.offset("proc_off_p_hash");
  const table = await globals.word("pidhashtbl");
  const mask = await globals.word("pidhash");
  if (next === null || table === null || mask === null || mask > MAX_HASH_MASK) return [];
  const { wordSize, littleEndian } = globals.memory.format;
  const bytes = await globals.memory.read(table, (Number(mask) + 1) * wordSize);
  if (bytes === null) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const heads: bigint[] = [];
  for (let at = 0; at < bytes.byteLength; at += wordSize) {
    const head = wordSize === 8
      ? view.getBigUint64(at, littleEndian)
      : BigInt(view.getUint32(at, littleEndian));
    if (head !== 0n) heads.push(head);
  }
  return [...new Set(heads)].map((head) => [head, next]);
}

/**
 * Reads a process with its threads, as far as they are not other ones' already.
 *
 * @returns `null` if it is not there, or cannot be a process
 */
async function readProcess(
  { memory }: KernelGlobals,
  offsets: Offsets,
  { address, zombie, seen }: { address: bigint; zombie: boolean; seen: Set<bigint> },
): Promise<Process | null> {
  const process = await Struct.read(memory, address, [offsets.pid, offsets.comm, offsets.threads]);
  const pid = process.int(offsets.pid);
  if (pid === null || pid < 0 || pid > MAX_PID) return null;
  const threads: Thread[] = [];
  let at = process.word(offsets.threads);
  while (at !== null && at !== 0n && !seen.has(at) && seen.size < MAX_THREADS) {
    seen.add(at);
    const thread = await Struct.read(memory, at, [offsets.tid, offsets.name, offsets.oncpu, offsets.plist]);
    const tid = thread.int(offsets.tid);
    if (tid === null) break;
    const cpu = thread.int(offsets.oncpu);
    threads.push({
      address: at,
      tid,
      name: thread.name(offsets.name),
      cpu: cpu === null || cpu < 0 || cpu === NO_CPU ? null : cpu,
    });
    at = thread.word(offsets.plist);
  }
  return { address, pid, name: process.name(offsets.comm), zombie, threads };
}

/** A struct as far as the dump has it. */
class Struct {
  readonly #format: WordFormat;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** The fields that are there; `null` for all. */
  readonly #there: ReadonlySet<number> | null;

  private constructor(format: WordFormat, bytes: Uint8Array, there: ReadonlySet<number> | null) {
    this.#format = format;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#there = there;
  }

  /** Reads it at once as far as the last of some fields; each field alone where it is not there as a whole. */
  static async read(memory: KernelMemory, address: bigint, fields: readonly number[]): Promise<Struct> {
    const size = Math.max(...fields) + NAME_BYTES;
    const whole = await memory.read(address, size);
    if (whole !== null) return new Struct(memory.format, whole, null);
    const bytes = new Uint8Array(size);
    const there = new Set<number>();
    for (const offset of fields) {
      const at = address + BigInt(offset);
      const field = await memory.read(at, NAME_BYTES) ?? await memory.read(at, memory.format.wordSize);
      if (field === null) continue;
      bytes.set(field, offset);
      there.add(offset);
    }
    return new Struct(memory.format, bytes, there);
  }

  int(offset: number): number | null {
    return this.#has(offset) ? this.#view.getInt32(offset, this.#format.littleEndian) : null;
  }

  word(offset: number): bigint | null {
    if (!this.#has(offset)) return null;
    const { wordSize, littleEndian } = this.#format;
    return wordSize === 8
      ? this.#view.getBigUint64(offset, littleEndian)
      : BigInt(this.#view.getUint32(offset, littleEndian));
  }

  name(offset: number): string {
    return this.#has(offset) ? stringAt(this.#bytes.subarray(offset, offset + NAME_BYTES), 0) : "";
  }

  #has(offset: number): boolean {
    return this.#there === null || this.#there.has(offset);
  }
}

/** Tells which registers belong to a thread (section 7). */
export class SavedRegisters {
  readonly #globals: KernelGlobals;
  readonly #machine: Machine;
  readonly #facts: ReleaseFacts;

  constructor(globals: KernelGlobals, machine: Machine, facts: ReleaseFacts) {
    this.#globals = globals;
    this.#machine = machine;
    this.#facts = facts;
  }

  /** The registers of a thread; `null` if they are not in the dump: it was running, and was not stopped. */
  async of(thread: Thread): Promise<ThreadRegisters | null> {
    const { memory } = this.#globals;
    const dumping = await this.#globals.int("dumptid");
    if (dumping !== null && dumping === thread.tid) {
      return await this.#decode("dumppcb", await this.#dumpPcb());
    }
    if (thread.cpu !== null) {
      if (await this.#isStopped(thread.cpu) === false) return null;
      return await this.#decode("stoppcbs", await this.#stopPcb(thread.cpu));
    }
    const offset = await this.#globals.offset("thread_off_td_pcb");
    return await this.#decode("pcb", offset === null ? null : await memory.word(thread.address + offset));
  }

  /** A static variable of older kernels, which stands before `dumptid` (section 3.2). */
  async #dumpPcb(): Promise<bigint | null> {
    const symbol = this.#globals.find("dumppcb");
    if (symbol !== null) return symbol.address;
    const behind = this.#globals.find("dumptid");
    const size = await this.#globals.offset("pcb_size");
    return behind === null || size === null ? null : behind.address - size;
  }

  async #stopPcb(cpu: number): Promise<bigint | null> {
    const symbol = this.#globals.find("stoppcbs");
    const size = await this.#globals.offset("pcb_size");
    if (symbol === null || size === null) return null;
    const word = BigInt(this.#machine.format.wordSize);
    // An array of 256 until 13, a pointer since.
    const isPointer = symbol.size === word;
    const first = isPointer ? await this.#globals.word("stoppcbs") : symbol.address;
    return first === null || first === 0n ? null : first + BigInt(cpu) * size;
  }

  async #isStopped(cpu: number): Promise<boolean | null> {
    const symbol = this.#globals.find("stopped_cpus");
    if (symbol === null) return null;
    const bits = 8 * this.#machine.format.wordSize;
    const at = BigInt(Math.floor(cpu / bits) * this.#machine.format.wordSize);
    const word = await this.#globals.memory.word(symbol.address + at);
    return word === null ? null : (word >> BigInt(cpu % bits) & 1n) === 1n;
  }

  async #decode(from: ThreadRegisters["from"], pcb: bigint | null): Promise<ThreadRegisters | null> {
    if (pcb === null || pcb === 0n) return null;
    const bytes = await this.#globals.memory.read(pcb, this.#machine.pcbBytes);
    if (bytes === null) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { from, registers: this.#machine.decodePcb(view, this.#facts) };
  }
}
