import { assert, assertEquals } from "@std/assert";
import { readCtf } from "../../lib/kernel/ctf.ts";
import { type DebugInfo, openDebugInfo } from "../../lib/kernel/debug_info.ts";
import { callerFrame } from "../../lib/kernel/dwarf/caller.ts";
import { layoutModule } from "../../lib/kernel/module_layout.ts";
import type { Type } from "../../lib/kernel/types.ts";
import { ByteWriter } from "./elf_writer.ts";
import { toyFile, toyJson, toyTest } from "./toy.ts";

/** What of an expectation is used here. */
interface ExpectedFrame {
  readonly pc: string;
  readonly kind: "normal" | "inline" | "trap";
  readonly dwarf: string | null;
  readonly file: string | null;
  readonly line: number | null;
}
interface Expected {
  readonly threads: readonly { readonly tid: number; readonly frames: readonly ExpectedFrame[] }[];
  readonly module_sections?: Readonly<Record<string, string>>;
}

/** The functions at an address as `function file:line`, the innermost first. */
async function placesAt(info: DebugInfo, pc: bigint): Promise<string[]> {
  return (await info.sourceFrames(pc)).map((frame) =>
    `${frame.function} ${frame.file?.split("/").at(-1)}:${frame.line}${frame.inline ? " inline" : ""}`
  );
}

for (const kernel of ["amd64-1", "arm64-1"]) {
  toyTest(`sourceFrames() finds gdb's functions, files and lines in every thread of ${kernel}`, async () => {
    const info = openDebugInfo(await toyFile(`${kernel}/kernel.debug`));
    const module = kernel === "amd64-1" ? await openModule() : null;
    const { threads } = await toyJson(`${kernel}/expect.json`) as Expected;
    let compared = 0;
    for (const { tid, frames } of threads) {
      for (let i = 0; i < frames.length; i++) {
        const first = i;
        while (frames[i]!.kind === "inline") i++;
        const all = frames.slice(first, i + 1).filter(({ file }) => file !== null);
        if (all.length === 0) continue;
        // The first pc is exact, and so are those that traps interrupted and those of trap entries themselves.
        const isExact = first === 0 || frames[first - 1]!.kind === "trap" || frames[i]!.kind === "trap";
        const pc = BigInt(frames[i]!.pc) - (isExact ? 0n : 1n);
        const expected = all.map((frame) => {
          const name = frame.kind === "trap" ? "?" : frame.dwarf;
          return `${name} ${frame.file}:${frame.line}${frame.kind === "inline" ? " inline" : ""}`;
        });
        const found = await placesAt(all[0]!.file === "mod.c" ? module! : info, pc);
        // Assembler's labels are functions to gdb by their symbols.
        const named = found.map((place) => frames[i]!.kind === "trap" ? place.replace(/^\S+/, "?") : place);
        assertEquals([tid, frames[i]!.pc, ...named], [tid, frames[i]!.pc, ...expected]);
        compared++;
      }
    }
    assert(compared > 80, `${compared} frames`);
  });
}

const MODULE_BASE = 0xffffffff80300000n;

async function openModule(): Promise<DebugInfo> {
  return openDebugInfo(await toyFile("amd64-1/crashme.ko.debug"), MODULE_BASE);
}

toyTest("layoutModule() places crashme.ko as the kernel's linker does, its debug file alike", async () => {
  const { module_sections } = await toyJson("amd64-1/expect.json") as Expected;
  for (const name of ["crashme.ko", "crashme.ko.debug"]) {
    const file = await toyFile(`amd64-1/${name}`);
    const { addresses, end } = layoutModule(file, MODULE_BASE);
    const placed = file.sections.filter((section) => addresses.has(section.index))
      .map((section) => [section.name, `0x${addresses.get(section.index)!.toString(16)}`]);
    assertEquals(Object.fromEntries(placed), module_sections);
    assertEquals(end, MODULE_BASE + 0x188n);
  }
});

toyTest("debug info of a module is relocated to where it was loaded", async () => {
  const info = await openModule();
  assertEquals(await placesAt(info, MODULE_BASE), ["helper mod.c:13"]);
  assertEquals(await placesAt(info, MODULE_BASE + 0x29n), ["crashme_entry mod.c:14"]);
  const row = (await info.frameRow(MODULE_BASE + 1n))!;
  assertEquals([row.start, row.cfa], [MODULE_BASE, { kind: "register", register: 7, offset: 16 }]);
  assertEquals(await info.sourceFrames(0n), []);
});

toyTest("CTF and DWARF tell the same of the kernel of amd64-1", async () => {
  const ctf = (await readCtf(await toyFile("amd64-1/kernel")))!;
  const { types } = openDebugInfo(await toyFile("amd64-1/kernel.debug"));
  for (const name of ["thread", "proc", "pcb", "linker_file", "msgbuf", "trapframe", "pair", "pcpu"]) {
    const [byCtf, byDwarf] = [await ctf.struct(name), await types.struct(name)];
    assert(byCtf !== null && byDwarf !== null, name);
    assertEquals(outline(byDwarf, 4), outline(byCtf, 4));
  }
  for (const name of ["test_pair", "hz", "version", "allproc", "cpuid_to_pcpu", "dumppcb"]) {
    assertEquals(outline((await types.variable(name))!, 4), outline((await ctf.variable(name))!, 4));
  }
  assertEquals(await types.struct("no_such_struct"), null);
  assertEquals(await types.variable("no_such_variable"), null);
});

/** A type as plain values, to a depth. */
function outline(type: Type, depth: number): unknown {
  if (depth === 0) return "...";
  switch (type.kind) {
    case "struct":
    case "union":
      return [
        type.kind,
        type.name,
        type.size,
        type.members.map((
          m,
        ) => [m.name, m.bitOffset, m.bitSize, m.bitSize === null ? outline(m.type, depth - 1) : "bits"]),
      ];
    case "array":
      return ["array", type.count, outline(type.element, depth - 1)];
    case "const":
      // Of an array, gcc says const of the array and of its elements.
      return outline(type.target, depth);
    case "base":
      // Compilers spell them differently: long int, long.
      return [type.encoding, type.size, type.bits];
    case "function":
      return ["function", outline(type.returns, depth - 1)];
    default:
      return "target" in type ? [type.kind, outline(type.target, depth - 1)] : type;
  }
}

toyTest("a frame row of amd64-1 leads from panic() back to who called it", async () => {
  const info = openDebugInfo(await toyFile("amd64-1/kernel.debug"));
  const { threads } = await toyJson("amd64-1/expect.json") as Expected;
  const [panic, trapFatal] = [threads[0]!.frames[3]!, threads[0]!.frames[4]!];
  assertEquals([panic.dwarf, trapFatal.dwarf], ["panic", "trap_fatal"]);
  const row = (await info.frameRow(BigInt(panic.pc) - 1n))!;
  assertEquals([row.isSignalFrame, row.returnRegister, row.addressSize], [false, 16, 8]);
  // In the middle of the function the frame pointer is set: rbp is saved at [rbp], the return address behind it.
  const RBP = 6, RSP = 7;
  const framePointer = 0xfffffe0000439d00n;
  const memory = new Map([[framePointer, framePointer + 0x40n], [framePointer + 8n, BigInt(trapFatal.pc)]]);
  const caller = await callerFrame(row, new Map([[RBP, framePointer], [3, 1n]]), RSP, (address) => {
    const value = memory.get(address);
    return Promise.resolve(value === undefined ? null : new ByteWriter().integer(8, value).done());
  });
  assertEquals(caller, {
    cfa: framePointer + 16n,
    pc: BigInt(trapFatal.pc),
    registers: new Map([
      [RBP, framePointer + 0x40n],
      [3, 1n],
      [RSP, framePointer + 16n],
      [16, BigInt(trapFatal.pc)],
    ]),
  });
});
