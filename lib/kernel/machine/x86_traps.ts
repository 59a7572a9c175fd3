/**
 * Traps of amd64 and i386: their numbers in words, and the labels of the code that enters the kernel (reference
 * kernel-symbols.md, section 9.1).
 *
 * @module
 */

import type { EntryKind } from "./machine.ts";

const NAMES: Readonly<Record<number, string>> = {
  1: "privileged instruction fault",
  3: "breakpoint instruction fault",
  6: "arithmetic trap",
  9: "general protection fault",
  10: "debug trap",
  12: "page fault",
  14: "alignment fault",
  18: "integer divide fault",
  19: "non-maskable interrupt",
  20: "overflow trap",
  21: "bounds check fault",
  22: "device not available fault",
  23: "double fault",
  24: "FPU operand fetch fault",
  25: "invalid TSS fault",
  26: "segment not present fault",
  27: "stack fault",
  28: "machine check",
  29: "SIMD floating-point exception",
  30: "reserved fault",
  32: "DTrace return trap",
};

/** The number of page faults: their address is meaningful. */
export const PAGE_FAULT = 12;

/** A trap's number in words. */
export function x86TrapName(number: number): string | null {
  return NAMES[number] ?? null;
}

const TRAPS = new Set([
  "calltrap",
  "nmi_calltrap",
  "mchk_calltrap",
  // It leaves a trap frame for where the thread will go in user mode.
  "fork_trampoline",
  "Xdblfault",
]);
const SYSCALLS = /^(?:Xfast_syscall(?:_pti)?|fast_syscall_common|Xint0x80_syscall|Xlcall_syscall)$/;
const INTERRUPTS =
  /^X(?:atpic_intr|apic_isr|xen_intr_upcall|timerint|ipi_|cpustop|cpususpend|rendezvous|cmcint|errorint|invl|justreturn|hardclock|swi)/;
const EXCEPTIONS = /^X[a-z]/;

/** Whether a label is one of an entry into the kernel. */
export function x86EntryKind(name: string): EntryKind | null {
  if (TRAPS.has(name)) return "trap";
  if (SYSCALLS.test(name)) return "syscall";
  if (INTERRUPTS.test(name)) return "interrupt";
  return EXCEPTIONS.test(name) ? "trap" : null;
}
