import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ThreadStack } from "../../lib/kernel/kernel.ts";
import { allStacks, codeFile, NO_FILES, openDumpedKernel, openFullDump } from "./dumps.ts";
import { type GdbFrame, gdbFrames } from "./gdb.ts";
import { madeMinidump } from "./made_dump.ts";
import { fullDumpKinds, madeFullDump } from "./made_full_dump.ts";
import { madeTest } from "./made.ts";
import type { CrashedKernel, MadeKernel } from "./made_kernel.ts";
import { TARGETS } from "./made_targets.ts";

/** The crashes that `made/kern.c` has. */
const CRASHES: Readonly<Record<string, number>> = {
  "a panic through functions that never return": 0,
  "a fault in a static function that inline code called": 1,
  "a fault in a module": 2,
  "a call of NULL": 3,
  "a double fault on a stack of its own": 5,
  "a fault at the end of a recursion": 6,
  "a panic in an interrupt": 7,
  "a fault while a fault is handled": 8,
  "a panic on the NMI stack": 9,
  "a call of memory that is gone": 10,
  "a fault in the kernel that a module called": 11,
};

/** The crash of `made/victims.c`: where a break was set. */
const STOPPED = 4;

/** The thread that crashes. */
const CRASHED = 100110;

/** How much of the kernel is at hand beside the dump. */
type Files = "debug files" | "kernel and module" | "the dump alone";

/** A thread's frames, as both sides can be compared. */
function ours({ frames }: ThreadStack, files: Files): string[] {
  return frames.map(({ pc, inline, symbol, function: name, file, line, trap }) =>
    described(files, {
      pc: `0x${pc.toString(16)}`,
      kind: inline ? "inline" : trap === null ? "normal" : "trap",
      name: name ?? symbol,
      file: file?.split("/").at(-1) ?? null,
      line,
    })
  );
}

function theirs(frames: readonly GdbFrame[], files: Files): string[] {
  return frames.filter(({ kind }) => files === "debug files" || kind !== "inline").map((frame, i) => {
    // A thread that never ran has left no frame.
    const kind = i === 0 && frame.kind === "trap" ? "normal" : frame.kind;
    const isNameless = files === "the dump alone" && frame.file === "module.c";
    return described(files, { ...frame, kind, name: isNameless ? null : frame.name });
  });
}

function described(files: Files, { pc, kind, name, file, line }: GdbFrame): string {
  return `${pc} ${plain(name)} ${kind}${files === "debug files" ? ` ${file}:${line}` : ""}`;
}

/** Without what the compiler appends: `.constprop.0`. */
function plain(name: string | null): string | null {
  return name?.replace(/\..*$/, "") ?? null;
}

async function open(crashed: CrashedKernel, files: Files, full: string | null) {
  const { kernel, debug, module, moduleDebug } = crashed.made;
  const isDebug = files === "debug files";
  const symbols = files === "the dump alone" ? NO_FILES : {
    kernel: await codeFile("kernel", kernel, isDebug ? debug : undefined),
    module: (name: string) => codeFile(name, module, isDebug ? moduleDebug : undefined),
  };
  return full === null
    ? await openDumpedKernel(madeMinidump(crashed), symbols)
    : await openFullDump(await madeFullDump(crashed, full), symbols);
}

/** Compares every thread with gdb's frames, or one. */
async function compare(
  crashed: CrashedKernel,
  frames: Map<number, readonly GdbFrame[]>,
  { files, full = null, only = null }: { files: Files; full?: string | null; only?: number | null },
) {
  const kernel = await open(crashed, files, full);
  assert(kernel !== null);
  assertEquals(kernel.matches, files === "the dump alone" ? null : true);
  const isWanted = ({ tid }: { tid: number }) => only === null || tid === only;
  const stacks = await allStacks(kernel, isWanted);
  assertEquals(
    stacks.map(({ thread }) => thread.tid).toSorted((a, b) => a - b),
    crashed.threads.filter(isWanted).map(({ tid }) => tid).toSorted((a, b) => a - b),
  );
  assert(stacks.length > 0, "nothing is compared");
  for (const stack of stacks) {
    const { tid } = stack.thread;
    assertEquals(stack.crashed, tid === CRASHED);
    const gdb = frames.get(tid) ?? [];
    const expected = theirs(gdb, files);
    const found = ours(stack, files);
    // On riscv64 gdb gives up where no code is.
    const ends = gdb.at(-1)?.name === null ? found.splice(expected.length) : null;
    assertEquals({ tid, frames: found }, { tid, frames: expected });
    if (ends !== null) {
      assertMatch(ends.join("\n"), /^0x[0-9a-f]+ start_crash normal.*\n.* cpu_exception_handler_user trap/s);
    }
  }
}

const ALL: readonly Files[] = ["debug files", "kernel and module", "the dump alone"];

async function compareAll(
  crashes: ReadonlyMap<string, CrashedKernel>,
  made: MadeKernel,
  { all = ALL, only = null }: { all?: readonly Files[]; only?: number | null } = {},
): Promise<void> {
  const frames = await gdbFrames(made, [...crashes.values()], only);
  for (const [i, [what, crashed]] of [...crashes].entries()) {
    for (const files of all) {
      try {
        await compare(crashed, frames[i]!, { files, only });
      } catch (error) {
        throw new Error(`${what}, with ${files}`, { cause: error });
      }
    }
  }
}

async function crashInAllWays(made: MadeKernel): Promise<Map<string, CrashedKernel>> {
  const crashes = new Map<string, CrashedKernel>();
  for (const [what, kind] of Object.entries(CRASHES)) crashes.set(what, await made.crash(kind));
  return crashes;
}

for (const target of TARGETS) {
  madeTest("every thread is as gdb shows it, whatever the crash", { target }, async (made) => {
    await compareAll(await crashInAllWays(made), made);
  });

  madeTest(
    "every thread of a kernel without frame pointers is as gdb shows it, with debug files",
    { target, flags: ["-O2", "-fomit-frame-pointer"] },
    async (made) => {
      await compareAll(await crashInAllWays(made), made, { all: ["debug files"] });
    },
  );
}

for (const target of TARGETS.filter(({ rulesAtCallsOnly }) => rulesAtCallsOnly !== true)) {
  madeTest(
    "stopped at any instruction of a function, all its callers are as gdb shows them",
    { target },
    async (made) => {
      const crashes = new Map<string, CrashedKernel>();
      for (const address of await instructionsOf(made, /^victim/)) {
        crashes.set(`stopped at 0x${address.toString(16)}`, await made.crash(STOPPED, address));
      }
      assert(crashes.size > 50, `${crashes.size} instructions`);
      // The other threads are as they are in every crash, and a kernel's file without debug info adds names only.
      await compareAll(crashes, made, { all: ["debug files", "the dump alone"], only: CRASHED });
    },
  );
}

for (const target of TARGETS) {
  for (const full of fullDumpKinds(target)) {
    madeTest(`every thread of a full dump of ${full} is as gdb shows it`, { target }, async (made) => {
      const crashed = await made.crash(2);
      const [frames] = await gdbFrames(made, [crashed]);
      for (const files of ALL) await compare(crashed, frames!, { files, full });
    });
  }
}

for (const target of TARGETS.filter(({ name }) => name === "riscv64")) {
  madeTest("every thread of a kernel without an ELF header is as gdb shows it", { target }, async (made) => {
    const crashed = withoutHeader(await made.crash(2));
    const [frames] = await gdbFrames(made, [crashed]);
    for (const files of ALL) await compare(crashed, frames!, { files });
    // Its image is found in all of memory by its text, and so not without a file.
    for (const files of ALL.slice(0, 2)) await compare(crashed, frames!, { files, full: "riscv64" });
    assertEquals(await open(crashed, "the dump alone", "riscv64"), null);
  });
}

/** As riscv64's kernels are: their first segment begins with the text (section 2.2). */
function withoutHeader(crashed: CrashedKernel): CrashedKernel {
  const [kernel, ...others] = crashed.memory;
  const bytes = kernel!.bytes.slice();
  // The header, and those of eight segments.
  bytes.fill(0, 0, 64 + 8 * 56);
  return { ...crashed, memory: [{ ...kernel!, bytes }, ...others] };
}

/** Where the instructions of some functions begin. */
async function instructionsOf(made: MadeKernel, names: RegExp): Promise<bigint[]> {
  const listing = await made.run(`${made.target.binutils}objdump`, [
    "-d",
    "--no-show-raw-insn",
    "kernel.full",
  ]);
  let isWanted = false;
  const addresses: bigint[] = [];
  for (const line of listing.split("\n")) {
    const [, name] = /^[0-9a-f]+ <(.*)>:$/.exec(line) ?? [];
    if (name !== undefined) isWanted = names.test(name);
    const [, address] = /^ *([0-9a-f]+):/.exec(line) ?? [];
    if (isWanted && address !== undefined && !/\bnop/.test(line)) addresses.push(BigInt(`0x${address}`));
  }
  return addresses;
}
