/** The real vmcores of ../shared, unpacked in memory. */

import { SHARED } from "../helpers.ts";

/** What a test of a real vmcore puts behind its name where there is none: the test is then skipped. */
export const WITHOUT_VMCORES: string | undefined = SHARED === undefined ? "../shared is absent" : undefined;

const unpacked = new Map<string, Promise<Uint8Array>>();

/** Unpacks one of the real vmcores, once. */
export function realVmcore(architecture: "amd64" | "arm64"): Promise<Uint8Array> {
  const known = unpacked.get(architecture) ?? unpack(architecture);
  unpacked.set(architecture, known);
  return known;
}

async function unpack(architecture: string): Promise<Uint8Array> {
  return await unpackBzip2(new URL(`vmcores/vmcore-${architecture}-minidump.bz2`, SHARED));
}

/** Unpacks a file of bzip2. */
export async function unpackBzip2(file: URL): Promise<Uint8Array> {
  const { code, stdout } = await new Deno.Command("bzip2", { args: ["-dc", file.pathname] }).output();
  if (code !== 0) throw new Error(`bzip2 exited with ${code}`);
  return stdout;
}

/** Defines a test that needs the real vmcores; where they are absent it is skipped, and its name says why. */
export function testWithVmcores(name: string, run: () => Promise<void>): void {
  Deno.test({
    name: WITHOUT_VMCORES === undefined ? name : `${name} [skipped: ${WITHOUT_VMCORES}]`,
    ignore: WITHOUT_VMCORES !== undefined,
    fn: run,
  });
}
