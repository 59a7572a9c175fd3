import { assert, assertEquals } from "@std/assert";
import { type DebugInfo, openDebugInfo } from "../../lib/kernel/debug_info.ts";
import type { FrameRow } from "../../lib/kernel/dwarf/frames.ts";
import type { ElfFile } from "../../lib/kernel/elf_file.ts";
import { readElfSymbols } from "../../lib/kernel/elf_symbols.ts";
import { findMember, resolveType, sizeOfType } from "../../lib/kernel/types.ts";
import { type Compiled, gccTest } from "./gcc.ts";

/** Every address of the code, by section. */
function codeOf(file: ElfFile): { start: bigint; end: bigint }[] {
  return file.sections.filter((section) => section.executable && section.size > 0)
    .map(({ address, size }) => ({ start: address, end: address + BigInt(size) }));
}

/** The last part of a path. */
function basename(path: string | null | undefined): string {
  return path?.split("/").at(-1) ?? "??";
}

/** What addr2line says of an address: `function file:line`, the innermost first. */
function parseAddr2line(output: string): Map<bigint, string[]> {
  const places = new Map<bigint, string[]>();
  let current: string[] = [];
  const lines = output.trimEnd().split("\n");
  for (let i = 0; i < lines.length; i++) {
    if (/^0x[0-9a-f]+$/.test(lines[i]!)) {
      current = [];
      places.set(BigInt(lines[i]!), current);
    } else {
      const [, path, line] = /^(.*):(\d+|\?)(?: \(discriminator \d+\))?$/.exec(lines[i + 1]!) ?? [];
      current.push(`${lines[i]} ${basename(path)}:${line}`);
      i++;
    }
  }
  return places;
}

async function placesAt(info: DebugInfo, pc: bigint): Promise<string[]> {
  return (await info.sourceFrames(pc)).map(({ function: name, file, line }) =>
    `${name} ${basename(file)}:${line ?? "?"}`
  );
}

async function compareLines({ file, run }: Compiled): Promise<void> {
  const info = openDebugInfo(file);
  const symbols = await readElfSymbols(file, file.section(".symtab")!);
  const isInFunction = (pc: bigint) =>
    symbols.some(({ type, value, size }) => type === 2 && pc >= value && pc < value + size);
  let compared = 0;
  let inlined = 0;
  for (const { start, end } of codeOf(file)) {
    const addresses = Array.from(
      { length: Number(end - start) },
      (_, i) => `0x${(start + BigInt(i)).toString(16)}`,
    );
    const output = await run(
      "addr2line",
      ["-a", "-i", "-f", "-e", "program"],
      addresses.join("\n"),
    );
    for (const [pc, expected] of parseAddr2line(output)) {
      // Between functions addr2line names the one before by its symbol.
      if (expected[0]!.includes("??") || !isInFunction(pc)) continue;
      assertEquals([pc.toString(16), ...await placesAt(info, pc)], [pc.toString(16), ...expected]);
      compared++;
      if (expected.length > 1) inlined++;
    }
  }
  assert(compared > 120, `${compared} addresses`);
  assert(inlined > 5, `${inlined} inlined`);
}

for (const version of [2, 3, 4, 5]) {
  for (
    const flags of [["-O2"], ["-Os", "-ffunction-sections", "-freorder-blocks-and-partition"], [
      "-O1",
      "-gz=zlib",
    ]]
  ) {
    const all = [`-gdwarf-${version}`, ...version < 4 ? ["-gstrict-dwarf"] : [], ...flags];
    gccTest(`sourceFrames() tells what addr2line -i does: ${all.join(" ")}`, all, compareLines);
  }
  gccTest(`types are what gcc laid out: DWARF ${version}`, ["-O2", `-gdwarf-${version}`], compareTypes);
}
gccTest(
  "64-bit DWARF tells what 32-bit DWARF does",
  ["-O2", "-gdwarf64", "-gdwarf-5"],
  async ({ file, compileAgain }) => {
    const wide = openDebugInfo(file);
    const narrow = openDebugInfo(await compileAgain(["-O2", "-gdwarf-5"]));
    let compared = 0;
    for (const { start, end } of codeOf(file)) {
      for (let pc = start; pc < end; pc++) {
        const expected = await placesAt(narrow, pc);
        assertEquals(await placesAt(wide, pc), expected);
        compared += expected.length;
      }
    }
    assert(compared > 200, `${compared} places`);
    assertEquals((await wide.types.struct("big"))?.size, (await narrow.types.struct("big"))?.size);
  },
);

async function compareTypes({ file }: Compiled): Promise<void> {
  const { types } = openDebugInfo(file);
  const symbols = await readElfSymbols(file, file.section(".symtab")!);
  const { value, size } = symbols.find(({ name }) => name === "expected")!;
  const bytes = await file.readVirtual(value, Number(size));
  const expected = [...new BigUint64Array(bytes.slice().buffer)].map(Number);
  const big = (await types.struct("big"))!;
  const offsetOf = (name: string) => findMember(big, name)!.bitOffset / 8;
  assertEquals([
    big.size,
    ...["x", "y", "w", "state", "handler", "flag", "d"].map(offsetOf),
    sizeOfType((await types.variable("bigs"))!),
  ], expected);
  const bits = ["a", "b", "c"].map((name) => findMember(big, name)!).map((m) => [m.bitOffset, m.bitSize]);
  assertEquals(bits, [[224, 3], [227, 5], [256, 40]]);
  const w = resolveType(findMember(big, "w")!.type);
  assert(w.kind === "array" && w.element.kind === "array");
  assertEquals([w.count, w.element.count, resolveType(w.element.element).kind], [2, 3, "union"]);
  const state = resolveType(findMember(big, "state")!.type);
  assert(state.kind === "enum");
  assertEquals(state.values.map(({ name, value }) => [name, BigInt.asIntN(32, value)]), [
    ["OFF", 0n],
    ["ON", 5n],
    ["BAD", -1n],
  ]);
  const handler = resolveType(findMember(big, "handler")!.type);
  assert(handler.kind === "pointer" && handler.target.kind === "function");
  assertEquals(handler.target.parameters.map(({ kind }) => kind), ["pointer", "volatile"]);
  assertEquals((await types.typedef("pair_t"))?.target, await types.struct("pair"));
  assertEquals(await types.struct("opaque"), null);
  const hidden = resolveType((await types.variable("hidden"))!);
  assert(hidden.kind === "pointer");
  assertEquals(hidden.target, { kind: "struct", name: "opaque", size: null, members: [] });
  assertEquals((await types.variable("counter"))?.kind, "volatile");
  assertEquals(await types.variable("undefined_here"), null);
}

/** Names of amd64's registers by DWARF's numbers, as readelf writes them. */
const REGISTERS = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"];
const nameOf = (number: number) => number === 16 ? "ra" : REGISTERS[number] ?? `r${number}`;

/** A row as readelf writes it. */
function describeRow(row: FrameRow): Record<string, string> {
  const signed = (offset: number) => `${offset >= 0 ? "+" : ""}${offset}`;
  const { cfa, rules } = row;
  const described: Record<string, string> = {
    CFA: cfa.kind === "expression" ? "exp" : `${nameOf(cfa.register)}${signed(cfa.offset)}`,
  };
  for (const [number, rule] of rules) {
    described[nameOf(number)] = rule.kind === "offset"
      ? `c${signed(rule.offset)}`
      : rule.kind === "undefined"
      ? "u"
      : rule.kind === "expression"
      ? "exp"
      : rule.kind;
  }
  return described;
}

/** Rows that readelf tells: where each begins, and its columns; those that say "undefined" are left out. */
function parseFramesInterp(output: string): { pc: bigint; row: Record<string, string> }[] {
  const rows: { pc: bigint; row: Record<string, string> }[] = [];
  let columns: string[] = [];
  let isFunction = false;
  for (const line of output.split("\n")) {
    if (/^[0-9a-f]{8} /.test(line)) isFunction = line.includes(" FDE ") && line.includes("pc=");
    const cells = line.trim().split(/\s+/);
    if (cells[0] === "LOC") columns = cells.slice(1);
    else if (isFunction && /^[0-9a-f]{16}$/.test(cells[0]!) && cells.length === columns.length + 1) {
      const row = columns.map((column, i) => [column, cells[i + 1]!] as const).filter(([, cell]) =>
        cell !== "u"
      );
      rows.push({ pc: BigInt(`0x${cells[0]}`), row: Object.fromEntries(row) });
    }
  }
  return rows;
}

for (
  const flags of [
    ["-O2", "-fno-asynchronous-unwind-tables", "-gdwarf-4"],
    ["-O2", "-fno-asynchronous-unwind-tables", "-fno-omit-frame-pointer", "-gdwarf-3"],
    ["-O2", "-fasynchronous-unwind-tables", "-gdwarf-5"],
    ["-O2", "-fasynchronous-unwind-tables", "-fno-inline", "-mforce-drap", "-mstackrealign", "-mavx2", "-g"],
  ]
) {
  gccTest(
    `frameRow() tells what readelf --debug-dump=frames-interp does: ${flags.join(" ")}`,
    flags,
    async (program) => {
      const info = openDebugInfo(program.file);
      const rows = parseFramesInterp(await program.run("readelf", ["--debug-dump=frames-interp", "program"]));
      if (flags.includes("-mforce-drap")) assert(rows.some(({ row }) => row.CFA === "exp"));
      assert(rows.length >= 5, `${rows.length} rows`);
      for (const { pc, row } of rows) {
        const found = await info.frameRow(pc);
        assert(found !== null, pc.toString(16));
        assertEquals([pc.toString(16), describeRow(found)], [pc.toString(16), row]);
      }
      assertEquals(await info.frameRow(0n), null);
    },
  );
}

for (const version of [2, 4, 5]) {
  const flags = ["-c", "-O2", `-gdwarf-${version}`];
  gccTest(
    `debug sections of a relocatable file are relocated: ${flags.join(" ")}`,
    flags,
    async (program) => {
      // What the linker makes of the same object is the oracle.
      await program.run("ld", ["-Ttext=0x80300000", "-o", "linked", "program"]);
      const base = 0x80300000n;
      const info = openDebugInfo(program.file, base);
      const output = await program.run(
        "addr2line",
        ["-a", "-i", "-f", "-e", "linked"],
        Array.from(
          { length: program.file.section(".text")!.size },
          (_, i) => `0x${(base + BigInt(i)).toString(16)}`,
        )
          .join("\n"),
      );
      let compared = 0;
      for (const [pc, expected] of parseAddr2line(output)) {
        const found = await placesAt(info, pc);
        // Between functions addr2line names the one before by its symbol.
        if (expected[0]!.includes("??") || found[0]?.startsWith("null ")) continue;
        assertEquals([pc.toString(16), ...found], [pc.toString(16), ...expected]);
        compared++;
      }
      assert(compared > 150, `${compared} addresses`);
      const rows = parseFramesInterp(await program.run("readelf", ["--debug-dump=frames-interp", "linked"]));
      for (const { pc, row } of rows) {
        const found = await info.frameRow(pc);
        assertEquals([pc, found && describeRow(found)], [pc, row]);
      }
    },
  );
}
