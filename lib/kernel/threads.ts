/**
 * Processes and threads out of the kernel's lists (reference kernel-symbols.md, sections 5 and 7).
 *
 * @module
 */

import type { KernelGlobals } from "./kernel_globals.ts";
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
const MAX_PROCESSES = 1_000_000;
const MAX_THREADS = 1_000_000;
/** In a char of older kernels: on no CPU. */
const NO_CPU = 255;
const MAX_HASH_MASK = 1n << 24n;

interface Offsets {
  readonly pid: bigint;
  readonly comm: bigint;
  readonly list: bigint;
  readonly threads: bigint;
  readonly tid: bigint;
  readonly name: bigint;
  readonly oncpu: bigint;
  readonly plist: bigint;
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
  const seen = new Set<bigint>();
  const budget = { threads: MAX_THREADS };
  const processes: Process[] = [];
  const walk = async (from: bigint, next: bigint, zombie: boolean) => {
    for (let at: bigint | null = from; at !== null && at !== 0n; at = await memory.word(at + next)) {
      if (seen.has(at) || seen.size >= MAX_PROCESSES) break;
      seen.add(at);
      const process = await readProcess(globals, offsets, at, zombie, budget);
      if (process !== null) processes.push(process);
    }
  };
  await walk(first, offsets.list, false);
  const zombies = await globals.word("zombproc");
  if (zombies !== null) await walk(zombies, offsets.list, true);
  for (const [head, next] of await hashChains(globals)) {
    for (let at: bigint | null = head; at !== null && at !== 0n; at = await memory.word(at + next)) {
      // What no other list has is a zombie (section 5.2).
      if (seen.has(at)) continue;
      if (seen.size >= MAX_PROCESSES) break;
      seen.add(at);
      const process = await readProcess(globals, offsets, at, true, budget);
      if (process === null) break;
      processes.push(process);
    }
  }
  return processes;
}

async function readOffsets(globals: KernelGlobals): Promise<Offsets | null> {
  const offsets: Partial<Record<keyof Offsets, bigint>> = {};
  for (const [key, symbol] of Object.entries(OFFSET_SYMBOLS) as [keyof Offsets, string][]) {
    const offset = await globals.offset(symbol);
    if (offset === null) return null;
    offsets[key] = offset;
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

async function readProcess(
  { memory }: KernelGlobals,
  offsets: Offsets,
  address: bigint,
  zombie: boolean,
  budget: { threads: number },
): Promise<Process | null> {
  const pid = await memory.int(address + offsets.pid);
  if (pid === null) return null;
  const threads: Thread[] = [];
  const seen = new Set<bigint>();
  let at = await memory.word(address + offsets.threads);
  while (at !== null && at !== 0n && !seen.has(at) && budget.threads-- > 0) {
    seen.add(at);
    const tid = await memory.int(at + offsets.tid);
    if (tid === null) break;
    const cpu = await memory.int(at + offsets.oncpu);
    threads.push({
      address: at,
      tid,
      name: await memory.string(at + offsets.name, NAME_BYTES) ?? "",
      cpu: cpu === null || cpu < 0 || cpu === NO_CPU ? null : cpu,
    });
    at = await memory.word(at + offsets.plist);
  }
  return {
    address,
    pid,
    name: await memory.string(address + offsets.comm, NAME_BYTES) ?? "",
    zombie,
    threads,
  };
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
