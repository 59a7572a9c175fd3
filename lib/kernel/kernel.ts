/**
 * The kernel that crashed: what it was, and what its threads were doing (reference kernel-symbols.md).
 *
 * @module
 */

import type { Memory } from "../kerneldump/memory.ts";
import { type NamedFrame, nameFrame } from "./backtrace.ts";
import { readCapture } from "./ddb_capture.ts";
import { type DumpSymbols, readDumpSymbols } from "./dump_symbols.ts";
import { findDumpTypes } from "./dump_types.ts";
import { isKernelFile } from "./elf_identity.ts";
import { type CodeFile, debugOf, matchesDump, readFileSymbols } from "./kernel_files.ts";
import { withPageTables } from "./full_dump_memory.ts";
import { type ElfSymbol, readElfSymbols } from "./elf_symbols.ts";
import { type KernelFacts, readFacts } from "./kernel_facts.ts";
import { KernelGlobals } from "./kernel_globals.ts";
import { KernelMemory } from "./kernel_memory.ts";
import { type LinkerFile, readLinkerFiles } from "./linker_files.ts";
import { LoadedCode, type LoadedObject } from "./loaded_code.ts";
import { findFrameSize } from "./machine/arm64.ts";
import type { Machine, Registers, ReleaseFacts } from "./machine/machine.ts";
import { machineOf } from "./machine/machines.ts";
import { firstOf, typesOf } from "./kernel_types.ts";
import { type ProcessDetails, ProcessReader } from "./process_details.ts";
import { SymbolTable } from "./symbol_table.ts";
import { type Process, readProcesses, SavedRegisters, type Thread } from "./threads.ts";
import type { Types } from "./types.ts";
import { readVariable, type Variable } from "./variables.ts";
import { type StackEnd, unwind, type Unwinding } from "./unwind.ts";

/** A thread with its stack. */
export interface ThreadStack {
  readonly thread: Thread;
  readonly process: Process;
  /** Whether it took the dump. */
  readonly crashed: boolean;
  readonly registersFrom: "dumppcb" | "stoppcbs" | "pcb" | null;
  readonly registers: Registers;
  readonly frames: readonly NamedFrame[];
  /** `null` where there are no registers to begin with. */
  readonly end: StackEnd | null;
}

/** Where symbols beyond the dump's own come from. */
export interface SymbolFiles {
  readonly kernel: CodeFile | null;
  /** A module's file by the name that the kernel lists; `null` if there is none. */
  module(name: string): Promise<CodeFile | null>;
}

/** A kernel in a dump, with its symbols. */
export interface Kernel {
  readonly symbolsFrom: "file" | "dump";
  readonly file: string | null;
  /** Whether the file is that of the kernel that crashed; `null` if it cannot be told, or there is none. */
  readonly matches: boolean | null;
  readonly machine: Machine;
  readonly facts: KernelFacts;
  readonly code: LoadedCode;
  readonly processes: readonly Process[];
  /** The thread that took the dump; `null` if there is none. */
  readonly crashedThread: number | null;
  /** Reads a thread's stack. */
  stack(thread: Thread, process: Process): Promise<ThreadStack>;
  /** Reads what the types tell of a process; `null` without types. */
  details(process: Process): Promise<ProcessDetails | null>;
  /** Reads a global variable. */
  variable(name: string): Promise<Variable>;
  /** Reads what the debugger captured; `null` if it cannot be told. */
  captured(): Promise<string | null>;
}

/**
 * Opens the kernel in a dump's memory.
 *
 * @param architecture as the dump names it
 * @returns `null` if there are no symbols, or its machine is not known
 */
export async function openKernel(
  memory: Memory,
  architecture: string,
  files: SymbolFiles,
): Promise<Kernel | null> {
  const machine = machineOf(architecture);
  if (machine === null) return null;
  const file = await usableKernel(files.kernel, machine);
  const kernelMemory = new KernelMemory(await virtualMemory(memory, machine, file), machine.format);
  const fromFile = file === null ? null : await readFileSymbols(file);
  const dumped = fromFile === null ? await readDumpSymbols(kernelMemory, machine) : null;
  const symbols = fromFile ?? (dumped === null ? null : new SymbolTable(dumped.symbols, dumped.complete));
  if (symbols === null) return null;
  const globals = new KernelGlobals(kernelMemory, symbols, fromFile === null ? null : file!.file);
  const used = fromFile === null ? null : file;
  const facts = await readFacts(globals, symbols, used, dumped?.buildId ?? null);
  const linkerFiles = await readLinkerFiles(globals);
  const { objects, types } = await loadObjects(linkerFiles, { machine, symbols, files, kernel: used });
  const code = new LoadedCode(objects);
  const inMemory = linkerFiles.length === 0
    ? null
    : await findDumpTypes(kernelMemory, linkerFiles[0]!.at, () => wholeTable(dumped, used));
  const kernelTypes = firstOf(types.get(objects[0]!) ?? null, inMemory);
  if (kernelTypes !== null) types.set(objects[0]!, kernelTypes);
  const processReader = kernelTypes === null ? null : new ProcessReader(kernelTypes, kernelMemory);
  const release: ReleaseFacts = {
    osreldate: facts.osreldate,
    pcbSize: await globals.int("pcb_size"),
    trapFrameSize: await readTrapFrameSize(globals),
  };
  const processes = await readProcesses(globals);
  const dumping = await globals.int("dumptid") ?? 0;
  const isThere = dumping !== 0 && processes.some((p) => p.threads.some(({ tid }) => tid === dumping));
  const crashedThread = isThere ? dumping : null;
  const saved = new SavedRegisters(globals, machine, release);
  const unwinding = { memory: kernelMemory, machine, facts: release, code };
  return {
    symbolsFrom: used === null ? "dump" : "file",
    file: used?.path ?? null,
    matches: used === null
      ? files.kernel === null ? null : false
      : await matchesDump(used, symbols, kernelMemory),
    machine,
    facts,
    code,
    processes,
    crashedThread,
    stack: (thread, process) => readStack(unwinding, saved, { thread, process, crashedThread }),
    details: async (process) => await processReader?.read(process) ?? null,
    variable: (name) => readVariable(name, code, kernelMemory, (object) => types.get(object) ?? null),
    captured: () => readCapture(globals),
  };
}

/** Whether a kernel's file is that of the kernel in a dump; `null` if it cannot be told. */
export async function fileMatches(
  memory: Memory,
  architecture: string,
  file: CodeFile,
): Promise<boolean | null> {
  const machine = machineOf(architecture);
  if (machine === null || await usableKernel(file, machine) === null) return false;
  const symbols = await readFileSymbols(file);
  const virtual = await virtualMemory(memory, machine, file);
  return symbols === null
    ? null
    : await matchesDump(file, symbols, new KernelMemory(virtual, machine.format));
}

/** By the kernel's file, if it is the one that crashed; else by what is in the dump. */
async function virtualMemory(memory: Memory, machine: Machine, file: CodeFile | null): Promise<Memory> {
  const byFile = file === null ? memory : await withPageTables(memory, machine, file);
  return byFile === memory ? await withPageTables(memory, machine, null) : byFile;
}

/**
 * The memory of a dump with its virtual addresses, which a full dump has only by its kernel.
 *
 * @returns the same memory if it has them already, or they are not found
 */
export async function withVirtualAddresses(
  memory: Memory,
  architecture: string,
  kernel: CodeFile | null,
): Promise<Memory> {
  const machine = machineOf(architecture);
  if (machine === null) return memory;
  return await virtualMemory(memory, machine, await usableKernel(kernel, machine));
}

async function readStack(
  unwinding: Unwinding,
  saved: SavedRegisters,
  { thread, process, crashedThread }: { thread: Thread; process: Process; crashedThread: number | null },
): Promise<ThreadStack> {
  const found = await saved.of(thread);
  const stack = found === null ? null : await unwind(unwinding, found.registers);
  const frames: NamedFrame[] = [];
  for (const frame of stack?.frames ?? []) frames.push(...await nameFrame(frame));
  return {
    thread,
    process,
    crashed: thread.tid === crashedThread,
    registersFrom: found?.from ?? null,
    registers: found?.registers ?? new Map(),
    frames,
    end: stack?.end ?? null,
  };
}

/** A kernel of another machine, or a module, lends no names. */
async function usableKernel(kernel: CodeFile | null, machine: Machine): Promise<CodeFile | null> {
  if (kernel === null || machineOf(kernel.file.header.machine) !== machine) return null;
  const isKernel = await isKernelFile(kernel.file);
  return isKernel === false && kernel.file.header.type !== EXECUTABLE ? null : kernel;
}

const EXECUTABLE = 2;

/** The kernel's symbols in the order of its table; none if only some are at hand. */
async function wholeTable(
  dumped: DumpSymbols | null,
  kernel: CodeFile | null,
): Promise<readonly ElfSymbol[]> {
  if (dumped !== null) return dumped.complete ? dumped.symbols : [];
  const table = kernel?.file.section(".symtab") ?? null;
  return table === null ? [] : await readElfSymbols(kernel!.file, table);
}

async function loadObjects(
  linkerFiles: readonly LinkerFile[],
  { machine, symbols, files, kernel }: {
    machine: Machine;
    symbols: SymbolTable;
    files: SymbolFiles;
    kernel: CodeFile | null;
  },
): Promise<{ objects: LoadedObject[]; types: Map<LoadedObject, Types> }> {
  const [first, ...modules] = linkerFiles;
  const types = new Map<LoadedObject, Types>();
  const objects: LoadedObject[] = [{
    name: first?.name || "kernel",
    address: first?.address ?? symbols.find("kernbase")?.address ?? machine.imageHeaders[0]!,
    size: first?.size ?? null,
    file: kernel?.path ?? null,
    symbols,
    debug: kernel === null ? null : debugOf(kernel),
  }];
  if (kernel !== null) types.set(objects[0]!, typesOf(kernel));
  for (const { name, address, size } of modules) {
    const file = await files.module(name);
    const usable = file !== null && machineOf(file.file.header.machine) === machine ? file : null;
    const object: LoadedObject = {
      name,
      address,
      // Without an end it would claim all that lies behind it.
      size: size ?? 0n,
      file: usable?.path ?? null,
      symbols: usable === null ? null : await readFileSymbols(usable, address),
      debug: usable === null ? null : debugOf(usable, address),
    };
    objects.push(object);
    if (usable !== null) types.set(object, typesOf(usable, address));
  }
  return { objects, types };
}

/** How much of an entry's code holds the instruction that tells its trap frame's size. */
const ENTRY_BYTES = 64;

/** arm64's trap frame has grown; the entry's code tells its size (section 9.3). */
async function readTrapFrameSize(globals: KernelGlobals): Promise<number | null> {
  const entry = globals.find("handle_el1h_sync");
  const code = entry === null ? null : await globals.memory.read(entry.address, ENTRY_BYTES);
  return code === null ? null : findFrameSize(code);
}
