import { assert, assertEquals } from "@std/assert";
import type { ThreadStack } from "../../lib/kernel/kernel.ts";
import { realVmcore, testWithVmcores } from "../kerneldump/real_vmcores.ts";
import { SHARED } from "../helpers.ts";
import { allStacks, codeFile, NO_FILES, openDumpedKernel } from "./dumps.ts";
import { toyBytes, toyDump, toyJson, toyTest } from "./toy.ts";

interface ExpectedFrame {
  readonly pc: string;
  readonly sym: string;
  readonly kind: "normal" | "inline" | "trap";
  readonly dwarf: string;
  readonly file: string | null;
  readonly line: number | null;
}

interface Expected {
  readonly globals: {
    readonly osrelease: string;
    readonly osreldate: number;
    readonly kern_ident: string;
    readonly mp_ncpus: number;
    readonly hz: number;
    readonly physmem_pages: number;
    readonly boottime_derived: number;
    readonly time_uptime: number;
    readonly panicstr: string;
    readonly dumptid: number;
    readonly build_id: string;
  };
  readonly klds: readonly { readonly name: string; readonly address: string }[];
  readonly zombies: readonly { readonly pid: number; readonly comm: string }[];
  readonly threads: readonly {
    readonly pid: number;
    readonly comm: string;
    readonly tid: number;
    readonly name: string;
    readonly cpu: number;
    readonly pcb: string;
    readonly regs: Readonly<Record<string, string>>;
    readonly frames: readonly ExpectedFrame[];
  }[];
}

const hex = (value: bigint) => `0x${value.toString(16)}`;

/** A thread as both sides can be compared: who, where from, and its frames. */
function described({ thread, process, registersFrom, frames }: ThreadStack, debug: boolean) {
  return {
    who: [process.pid, process.name, thread.tid, thread.name, thread.cpu ?? -1],
    from: registersFrom,
    frames: frames.map(({ pc, symbol, offset, inline, file, line }) => [
      hex(pc),
      `${symbol}+0x${(offset ?? 0).toString(16)}`,
      ...(debug ? [inline, file?.split("/").at(-1) ?? null, line] : []),
    ]),
  };
}

function expected({ pid, comm, tid, name, cpu, pcb, frames }: Expected["threads"][number], debug: boolean) {
  return {
    who: [pid, comm, tid, name, cpu],
    from: pcb === "td_pcb" ? "pcb" : pcb,
    frames: frames.filter(({ kind }) => debug || kind !== "inline").map(({ pc, sym, kind, file, line }) => [
      pc,
      sym,
      ...(debug ? [kind === "inline", file, line] : []),
    ]),
  };
}

for (const name of ["amd64-1", "arm64-1"]) {
  const files = {
    "without a kernel file": () => Promise.resolve(NO_FILES),
    "with kernel and modules": async () => ({
      kernel: await codeFile("kernel", await toyBytes(`${name}/kernel`)),
      module: async (module: string) =>
        module === "crashme.ko" ? await codeFile(module, await toyBytes(`${name}/${module}`)) : null,
    }),
    "with debug files": async () => ({
      kernel: await codeFile(
        "kernel",
        await toyBytes(`${name}/kernel`),
        await toyBytes(`${name}/kernel.debug`),
      ),
      module: async (module: string) =>
        module === "crashme.ko"
          ? await codeFile(
            module,
            await toyBytes(`${name}/${module}`),
            await toyBytes(`${name}/${module}.debug`),
          )
          : null,
    }),
  };
  for (const [how, open] of Object.entries(files)) {
    toyTest(`every thread of ${name} is as gdb shows it, ${how}`, async () => {
      const expectation = await toyJson(`${name}/expect.json`) as Expected;
      const kernel = await openDumpedKernel(await toyDump(name), await open());
      assert(kernel !== null);
      const debug = how === "with debug files";
      const stacks = await allStacks(kernel);
      assertEquals<unknown>(
        stacks.map((stack) => described(stack, debug)),
        expectation.threads.map((thread) => expected(thread, debug)),
      );
      for (const { thread, registers, crashed } of stacks) {
        const { regs } = expectation.threads.find(({ tid }) => tid === thread.tid)!;
        for (const [register, value] of registers) {
          const theirs = regs[register] ?? (register === "x29" ? regs.fp : undefined);
          if (theirs !== undefined) {
            assertEquals<unknown>([thread.tid, register, hex(value)], [thread.tid, register, theirs]);
          }
        }
        assertEquals<unknown>(crashed, thread.tid === expectation.globals.dumptid);
      }
      assertEquals<unknown>(
        kernel.processes.filter(({ zombie }) => zombie).map(({ pid, name }) => ({ pid, comm: name })),
        [...expectation.zombies],
      );
      assertEquals<unknown>(
        kernel.code.objects.map(({ name, address }) => ({ name, address: hex(address) })),
        [...expectation.klds],
      );
      const { globals } = expectation;
      const withFile = how !== "without a kernel file";
      assertEquals<unknown>([kernel.symbolsFrom, kernel.matches], withFile ? ["file", true] : ["dump", null]);
      assertEquals<unknown>(kernel.facts, {
        buildId: globals.build_id,
        osrelease: globals.osrelease,
        osreldate: globals.osreldate,
        ident: globals.kern_ident,
        machine: name.slice(0, -2),
        cpus: globals.mp_ncpus,
        hz: globals.hz,
        physicalPages: globals.physmem_pages,
        bootTime: globals.boottime_derived,
        uptimeSeconds: globals.time_uptime,
        panic: globals.panicstr,
      });
      assertEquals<unknown>(kernel.crashedThread, globals.dumptid);
    });
  }
}

interface RealExpected {
  readonly hz: number;
  readonly dumptid: number;
  readonly threads: readonly {
    readonly pid: number;
    readonly comm: string;
    readonly tid: number;
    readonly name: string;
    readonly cpu: number;
    readonly pcb_from: string;
    readonly regs: Readonly<Record<string, string>>;
    readonly frames: readonly (
      | { readonly pc: string; readonly kind: string; readonly trapframe?: Readonly<Record<string, string>> }
      | { readonly end: string }
    )[];
  }[];
}

const ENDS: Readonly<Record<string, string>> = {
  "user mode": "user-mode",
  "frame pointer 0": "frame-pointer-0",
  "return address 0": "return-address-0",
  "stack not in the dump": "stack-not-in-dump",
};

for (const architecture of ["amd64", "arm64"] as const) {
  testWithVmcores(`every thread of the real ${architecture} vmcore is as its bytes say`, async () => {
    const llvm = new URL("kernels/llvm/", SHARED);
    const expectation = JSON.parse(
      await Deno.readTextFile(new URL(`expect-${architecture}-minidump.json`, llvm)),
    ) as RealExpected;
    const kernel = await openDumpedKernel(await realVmcore(architecture), {
      ...NO_FILES,
      kernel: await codeFile("kernel", await Deno.readFile(new URL(`kernel-${architecture}.elf`, llvm))),
    });
    assert(kernel !== null);
    assertEquals<unknown>([kernel.facts.hz, kernel.crashedThread], [expectation.hz, expectation.dumptid]);
    const stacks = await allStacks(kernel);
    assertEquals<unknown>(
      stacks.map(({ thread, process, registersFrom, frames, end }) => ({
        who: [process.pid, process.name, thread.tid, thread.name, thread.cpu ?? -1],
        from: registersFrom,
        frames: frames.map(({ pc, trap }) => [hex(pc), trap === null ? "frame" : "trap"]),
        end,
      })),
      expectation.threads.map(({ pid, comm, tid, name, cpu, pcb_from, frames }) => ({
        who: [pid, comm, tid, name, cpu],
        from: pcb_from.replace(/^td_/, "").replace(/\[.*/, ""),
        frames: frames.flatMap((frame) => "pc" in frame ? [[frame.pc, frame.kind]] : []),
        end: frames.flatMap((frame) => "end" in frame ? [ENDS[frame.end]] : [])[0],
      })),
    );
    for (const [i, { registers, frames }] of stacks.entries()) {
      const { regs, frames: expectedFrames } = expectation.threads[i]!;
      for (const [register, value] of registers) {
        assertEquals<unknown>([register, hex(value)], [register, regs[register === "x29" ? "fp" : register]]);
      }
      for (const [j, { trap }] of frames.entries()) {
        const frame = expectedFrames[j]!;
        if (trap === null || !("trapframe" in frame)) continue;
        for (const [register, value] of Object.entries(frame.trapframe ?? {})) {
          const known = trap.registers.get(register);
          if (known !== undefined) assertEquals<unknown>([register, hex(known)], [register, value]);
        }
      }
    }
  });
}
