/**
 * The kernel in a dump: its facts, and the stacks of the threads that were asked for.
 *
 * @module
 */

import type { Kernel, ThreadStack } from "../kernel/kernel.ts";
import type { ProcessDetails } from "../kernel/process_details.ts";
import type { Process } from "../kernel/threads.ts";
import type { Variable } from "../kernel/variables.ts";
import type { SymbolPaths } from "./open/symbol_files.ts";

/** What is asked about the kernel. */
export interface KernelOptions extends SymbolPaths {
  /** All threads, not only the one that took the dump. */
  readonly threads: boolean;
  readonly processes: boolean;
  /** Names of global variables. */
  readonly variables: readonly string[];
  /** Where a large compressed dump is spooled. */
  readonly spool?: string | undefined;
  /** Whether the rest is told where there is no room to spool it. */
  readonly spoolOptional?: boolean;
}

/** What a dump tells about its kernel. */
export interface KernelFindings {
  readonly kernel: Kernel;
  /** The thread that took the dump, or all: that one first, then those on a CPU, then the others. */
  readonly stacks: readonly ThreadStack[];
  /** Whether all threads were asked for. */
  readonly all: boolean;
  /** Empty if they were not asked for. */
  readonly processes: readonly (readonly [Process, ProcessDetails | null])[];
  readonly variables: readonly Variable[];
  /** What the kernel's debugger captured; `null` if it cannot be told. Unfiltered. */
  readonly captured: string | null;
  /** Files and lines of KDB's backtrace in the messages, by the messages' lines. */
  readonly places: ReadonlyMap<string, string>;
}
