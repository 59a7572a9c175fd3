import { assert } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { readElfSymbols } from "../../lib/kernel/elf_symbols.ts";
import { madeMinidump } from "./made_dump.ts";
import { madeFullDump } from "./made_full_dump.ts";
import { toyBytes, toyDump, toyTest } from "./toy.ts";
import { madeTest } from "./made.ts";
import type { CrashedKernel } from "./made_kernel.ts";
import { TARGETS } from "./made_targets.ts";

const ROUNDS = fromFileUrl(new URL("damage_rounds.ts", import.meta.url));

/** Two seconds and 300 MiB are the aim; a machine that is busy with other tests, and an older Deno, take more. */
const MAX_MS = 2_000;
const BUSY = 5;
const MAX_MIB = 400;

madeTest(
  "a kernel and a dump damaged in any way are read without an exception, in little time and memory",
  { target: TARGETS[0]! },
  async (made) => {
    const crashed = await made.crash(1);
    await Deno.writeFile(join(made.directory, "vmcore"), madeMinidump(crashed));
    const chain = join(made.directory, "chain");
    await Deno.writeFile(chain, madeMinidump(await withChain(crashed)));
    const full = join(made.directory, "full");
    await Deno.writeFile(full, await madeFullDump(crashed, "amd64"));
    await readDamaged(made.directory, chain, full);
  },
);

toyTest("a kernel with CTF and its dump damaged in any way are read in little time and memory", async () => {
  const directory = await Deno.makeTempDir({ prefix: "netdump-test-" });
  try {
    for (const name of ["kernel", "kernel.debug", "crashme.ko.debug"]) {
      await Deno.writeFile(join(directory, name), await toyBytes(`amd64-1/${name}`));
    }
    await Deno.writeFile(join(directory, "vmcore"), await toyDump("amd64-1"));
    await readDamaged(directory, join(directory, "vmcore"));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

/** Reads the files of a directory in all the ways that the rounds have, in a process of its own. */
async function readDamaged(directory: string, chain: string, ...full: string[]): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      "--allow-all",
      "--v8-flags=--expose-gc",
      ROUNDS,
      directory,
      chain,
      ...full,
    ],
    stdin: "null",
  }).output();
  assert(code === 0, new TextDecoder().decode(stderr));
  const { rounds, slowest, peakMiB } = JSON.parse(new TextDecoder().decode(stdout));
  assert(rounds > 600, `${rounds} rounds`);
  assert(slowest.ms < MAX_MS * BUSY, `${slowest.what}: ${slowest.ms} ms`);
  assert(peakMiB < MAX_MIB, `${peakMiB} MiB`);
}

const CHAIN_BYTES = 4 * 2 ** 20;
const CHAIN_AT = 0xffffffff90000000n;

/** Processes and threads in every 32 bytes of some megabytes, each leading to the next. */
async function withChain(crashed: CrashedKernel): Promise<CrashedKernel> {
  const { elf } = crashed.made;
  const bytes = new Uint8Array(CHAIN_BYTES);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < CHAIN_BYTES; at += 32) {
    view.setBigUint64(at, CHAIN_AT + BigInt(at + 32), true);
    view.setUint32(at + 8, at / 32 % 99_999, true);
    view.setBigUint64(at + 16, CHAIN_AT + BigInt(at + 32), true);
  }
  const [kernel, ...others] = crashed.memory;
  const changed = kernel!.bytes.slice();
  const offsets: Readonly<Record<string, number>> = {
    proc_off_p_pid: 8,
    proc_off_p_comm: 8,
    proc_off_p_list: 0,
    proc_off_p_threads: 16,
    thread_off_td_tid: 8,
    thread_off_td_name: 8,
    thread_off_td_oncpu: 8,
    thread_off_td_plist: 0,
  };
  for (const { name, value } of await readElfSymbols(elf, elf.section(".symtab")!)) {
    const at = Number(value - kernel!.address);
    if (name === "allproc") new DataView(changed.buffer).setBigUint64(at, CHAIN_AT, true);
    const offset = offsets[name];
    if (offset !== undefined) new DataView(changed.buffer).setUint32(at, offset, true);
  }
  return {
    ...crashed,
    memory: [{ ...kernel!, bytes: changed }, ...others, { address: CHAIN_AT, bytes }],
  };
}
