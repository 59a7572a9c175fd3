/**
 * What differs between machines when their stacks are read: registers of threads, frame records, trap frames
 * (reference kernel-symbols.md, sections 6, 8 and 9).
 *
 * @module
 */

import type { KernelMemory, WordFormat } from "../kernel_memory.ts";

/** Registers by the machine's names; what is not known is absent. */
export type Registers = ReadonlyMap<string, bigint>;

/** Why a kernel was entered. */
export type EntryKind = "trap" | "interrupt" | "syscall";

/** The registers that an entry into the kernel saved. */
export interface TrapFrame {
  readonly address: bigint;
  readonly kind: EntryKind;
  /** The trap's number, ESR class or cause; `null` where what is stored says nothing. */
  readonly number: number | null;
  /** In words. */
  readonly name: string | null;
  readonly faultAddress: bigint | null;
  /** Whether user code was interrupted: the kernel's stack ends here. */
  readonly fromUser: boolean;
  readonly registers: Registers;
}

/** What helps to tell layouts of different releases from each other; `null` where not known. */
export interface ReleaseFacts {
  /** `__FreeBSD_version`. */
  readonly osreldate: number | null;
  readonly pcbSize: number | null;
  /** Bytes of a trap frame, where the kernel's code tells it. */
  readonly trapFrameSize: number | null;
}

/** A place on a stack: the frame at hand is that of `pc`. */
export interface StackPlace {
  readonly pc: bigint;
  readonly stackPointer: bigint | null;
  readonly framePointer: bigint;
}

/** What the code at an interrupted instruction is, so that it can be told whether it has its frame already. */
export interface InterruptedCode {
  readonly place: StackPlace;
  readonly registers: Registers;
  /** Where its function starts; `null` if that is not known. */
  readonly functionStart: bigint | null;
  /** Whether the instruction lies where code can be. */
  readonly inText: boolean;
}

/** A kind of machine. */
export interface Machine {
  readonly format: WordFormat;
  /** Where the kernel's ELF header lies in memory. */
  readonly imageHeaders: readonly bigint[];
  /** Where the kernel begins in memory without its ELF header; `null` where it always has it. */
  readonly bareImage: bigint | null;
  readonly pc: string;
  readonly stackPointer: string;
  readonly framePointer: string;
  /** Names by DWARF's numbers (section 10.2). */
  readonly dwarfRegisters: readonly string[];
  /** What is subtracted from a return address to come to its call. */
  readonly callSize: bigint;
  /** Where a frame record has its parts, from the frame pointer; `callerStack` is the caller's stack pointer. */
  readonly record: { readonly saved: bigint; readonly returns: bigint; readonly callerStack: bigint };
  /** Bytes of a pcb that {@linkcode Machine.decodePcb} takes. */
  readonly pcbBytes: number;
  /** The registers in a pcb, with the program counter. */
  decodePcb(pcb: DataView, facts: ReleaseFacts): Map<string, bigint>;
  /** What the stack pointer of a pcb grows by when the call that filled it returns: the address it still points to. */
  readonly pcbReturnSize: bigint;
  /** Makes a return address one that can be looked up. */
  canonical(address: bigint): bigint;
  /** Whether a function is an entry into the kernel, behind whose frame a trap frame lies. */
  entryKind(name: string): EntryKind | null;
  /**
   * Reads the trap frame of an entry.
   *
   * @param kind that of its name; `null` to accept only what looks like a trap frame
   */
  readTrapFrame(
    memory: KernelMemory,
    place: StackPlace,
    kind: EntryKind | null,
    facts: ReleaseFacts,
  ): Promise<TrapFrame | null>;
  /**
   * The caller of interrupted code that has no frame of its own yet (section 8, rule 4); `null` if it has one.
   */
  callerWithoutFrame(memory: KernelMemory, code: InterruptedCode): Promise<StackPlace | null>;
}

/** Reads named words of a struct. */
export function readWords(
  view: DataView,
  { littleEndian, wordSize }: WordFormat,
  offsets: Readonly<Record<string, number>>,
): Map<string, bigint> {
  const words = new Map<string, bigint>();
  for (const [name, at] of Object.entries(offsets)) {
    if (at + wordSize > view.byteLength) continue;
    words.set(
      name,
      wordSize === 8 ? view.getBigUint64(at, littleEndian) : BigInt(view.getUint32(at, littleEndian)),
    );
  }
  return words;
}

/** Reads a struct of memory. */
export async function readStruct(
  memory: KernelMemory,
  address: bigint,
  size: number,
): Promise<DataView | null> {
  const bytes = await memory.read(address, size);
  return bytes === null ? null : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
