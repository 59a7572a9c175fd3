/**
 * The kernel in a dump as `--json` gives it.
 *
 * @module
 */

import type { NamedFrame } from "../../kernel/backtrace.ts";
import type { ThreadStack } from "../../kernel/kernel.ts";
import type { Registers } from "../../kernel/machine/machine.ts";
import type { ProcessDetails } from "../../kernel/process_details.ts";
import type { Process } from "../../kernel/threads.ts";
import { type JsonValue, valueToJson } from "../../kernel/value_text.ts";
import { formatIsoTime } from "../../text/time.ts";
import type { KernelFindings } from "../kernel_findings.ts";
import { type Address, formatAddress } from "./address.ts";

/** Registers by name; those that are not known are absent. */
export type RegistersReport = Readonly<Record<string, Address>>;

/** A frame of a stack. An inline one stands before the one it is in. */
export interface FrameReport {
  readonly pc: Address;
  readonly symbol: string | null;
  readonly offset: number | null;
  readonly module: string | null;
  readonly inline: boolean;
  readonly function: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly trap: {
    readonly kind: string;
    readonly number: number | null;
    readonly name: string | null;
    readonly faultAddress: Address | null;
    readonly registers: RegistersReport;
  } | null;
}

/** A thread with its stack. */
export interface ThreadReport {
  readonly tid: number;
  readonly pid: number;
  readonly process: string;
  readonly name: string;
  readonly cpu: number | null;
  readonly crashed: boolean;
  readonly registersFrom: string | null;
  readonly registers: RegistersReport;
  readonly frames: readonly FrameReport[];
  readonly end: string | null;
}

/** A process. */
export interface ProcessReport {
  readonly pid: number;
  readonly name: string;
  readonly zombie: boolean;
  readonly parent: number | null;
  readonly uid: number | null;
  readonly state: string | null;
  readonly waitMessage: string | null;
  readonly arguments: readonly string[] | null;
  readonly threads: readonly number[];
}

/** The kernel that crashed. */
export interface KernelReport {
  readonly symbolsFrom: "file" | "dump";
  readonly file: string | null;
  readonly matches: boolean | null;
  readonly buildId: string | null;
  readonly osrelease: string | null;
  readonly osreldate: number | null;
  readonly ident: string | null;
  readonly machine: string | null;
  readonly cpus: number | null;
  readonly hz: number | null;
  readonly physicalPages: number | null;
  /** ISO 8601, UTC. */
  readonly bootTime: string | null;
  readonly uptimeSeconds: number | null;
  readonly panic: string | null;
  readonly crashedThread: number | null;
  readonly modules: readonly {
    readonly name: string;
    readonly address: Address;
    readonly size: number | null;
    readonly file: string | null;
  }[];
  readonly processes: readonly ProcessReport[];
  readonly threads: readonly ThreadReport[];
  /** With `--variable` only. */
  readonly variables?: readonly {
    readonly name: string;
    readonly address: Address | null;
    readonly value: JsonValue;
  }[];
}

/** Makes the report. */
export function reportKernel({ kernel, stacks, processes, variables }: KernelFindings): KernelReport {
  const bits = kernel.machine.format.wordSize === 8 ? 64 : 32;
  const { facts } = kernel;
  return {
    symbolsFrom: kernel.symbolsFrom,
    file: kernel.file,
    matches: kernel.matches,
    buildId: facts.buildId,
    osrelease: facts.osrelease,
    osreldate: facts.osreldate,
    ident: facts.ident,
    machine: facts.machine,
    cpus: facts.cpus,
    hz: facts.hz,
    physicalPages: facts.physicalPages,
    bootTime: formatIsoTime(facts.bootTime),
    uptimeSeconds: facts.uptimeSeconds,
    panic: facts.panic,
    crashedThread: kernel.crashedThread,
    modules: kernel.code.objects.map(({ name, address, size, file }) => ({
      name,
      address: formatAddress(address, bits),
      size: size === null ? null : Number(size),
      file,
    })),
    processes: processes.map(reportProcess),
    threads: stacks.map((stack) => reportThread(stack, bits)),
    ...(variables.length === 0 ? {} : {
      variables: variables.map(({ name, address, value }) => ({
        name,
        address: address === null ? null : formatAddress(address, bits),
        value: value === null ? null : valueToJson(value),
      })),
    }),
  };
}

function reportProcess(
  [{ pid, name, zombie, threads }, details]: readonly [Process, ProcessDetails | null],
): ProcessReport {
  return {
    pid,
    name,
    zombie,
    parent: details?.parent ?? null,
    uid: details?.uid ?? null,
    state: details?.state ?? null,
    waitMessage: details?.waitMessage ?? null,
    arguments: details?.arguments ?? null,
    threads: threads.map(({ tid }) => tid),
  };
}

function reportThread({ thread, process, ...stack }: ThreadStack, bits: 32 | 64): ThreadReport {
  return {
    tid: thread.tid,
    pid: process.pid,
    process: process.name,
    name: thread.name,
    cpu: thread.cpu,
    crashed: stack.crashed,
    registersFrom: stack.registersFrom,
    registers: reportRegisters(stack.registers, bits),
    frames: stack.frames.map((frame) => reportFrame(frame, bits)),
    end: stack.end,
  };
}

function reportFrame({ trap, pc, ...frame }: NamedFrame, bits: 32 | 64): FrameReport {
  return {
    pc: formatAddress(pc, bits),
    symbol: frame.symbol,
    offset: frame.offset,
    module: frame.module,
    inline: frame.inline,
    function: frame.function,
    file: frame.file,
    line: frame.line,
    trap: trap === null ? null : {
      kind: trap.kind,
      number: trap.number,
      name: trap.name,
      faultAddress: trap.faultAddress === null ? null : formatAddress(trap.faultAddress, bits),
      registers: reportRegisters(trap.registers, bits),
    },
  };
}

function reportRegisters(registers: Registers, bits: 32 | 64): RegistersReport {
  return Object.fromEntries([...registers].map(([name, value]) => [name, formatAddress(value, bits)]));
}
