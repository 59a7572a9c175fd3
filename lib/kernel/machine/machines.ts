/**
 * The machines whose stacks can be read.
 *
 * @module
 */

import { amd64 } from "./amd64.ts";
import { arm64 } from "./arm64.ts";
import { i386 } from "./i386.ts";
import type { Machine } from "./machine.ts";
import { riscv64 } from "./riscv64.ts";

/** By the names that dumps and ELF files have for them. */
const MACHINES: Readonly<Record<string, Machine>> = {
  amd64,
  arm64,
  aarch64: arm64,
  i386,
  riscv: riscv64,
  riscv64,
};

/** The machine of a dump or an ELF file, by the name that it has there; `null` if its stacks cannot be read. */
export function machineOf(architecture: string): Machine | null {
  return Object.hasOwn(MACHINES, architecture) ? MACHINES[architecture]! : null;
}
