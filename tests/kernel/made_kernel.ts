/**
 * A kernel in miniature (`made/`), compiled, run and made to crash: what it leaves behind becomes the memory of a kernel
 * at a kernel's addresses (reference kernel-symbols.md, section 18.3).
 */

import { readAtOf } from "../../lib/bytes/source.ts";
import { type ElfFile, readElfFile } from "../../lib/kernel/elf_file.ts";

/** A machine that the kernel is made for. */
export interface Target {
  readonly name: "amd64" | "i386" | "arm64" | "riscv64";
  readonly compiler: readonly string[];
  readonly linker: readonly string[];
  readonly binutils: string;
  /** What runs its programs, in front of them. */
  readonly emulator: readonly string[];
  readonly gdb: string;
  readonly wordSize: 4 | 8;
  /** Where it runs, and where a kernel lies. */
  readonly low: bigint;
  readonly high: bigint;
  /** Whether modules are relocatable files; else they are shared objects. */
  readonly relocatableModules: boolean;
}

const HERE = new URL("made/", import.meta.url).pathname;
const FREE = [
  "-ffreestanding",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-fno-ipa-sra",
  "-g",
  "-gno-statement-frontiers",
  "-fno-pic",
];

/** Machines, as far as Debian has compilers for them. */
export const TARGETS: readonly Target[] = [
  {
    name: "amd64",
    compiler: [
      "gcc",
      "-mcmodel=kernel",
      "-mno-red-zone",
      "-mno-sse",
      "-mno-omit-leaf-frame-pointer",
      "-fcf-protection=none",
    ],
    linker: ["ld"],
    binutils: "",
    emulator: [],
    gdb: "gdb",
    wordSize: 8,
    low: 0x5a200000n,
    high: 0xffffffff80200000n,
    relocatableModules: true,
  },
  {
    name: "i386",
    compiler: ["gcc", "-m32", "-mno-sse", "-mno-omit-leaf-frame-pointer", "-fcf-protection=none"],
    linker: ["ld", "-m", "elf_i386"],
    binutils: "",
    emulator: [],
    gdb: "gdb",
    wordSize: 4,
    // Programs and kernels can lie at the same address.
    low: 0x800000n,
    high: 0x800000n,
    relocatableModules: false,
  },
  {
    name: "arm64",
    compiler: ["aarch64-linux-gnu-gcc", "-mgeneral-regs-only", "-mno-omit-leaf-frame-pointer"],
    linker: ["aarch64-linux-gnu-ld"],
    binutils: "aarch64-linux-gnu-",
    emulator: ["qemu-aarch64"],
    gdb: "gdb-multiarch",
    wordSize: 8,
    low: 0x5a200000n,
    high: 0xffff000000000000n,
    relocatableModules: false,
  },
  {
    name: "riscv64",
    compiler: [
      "riscv64-linux-gnu-gcc",
      "-march=rv64imac_zifencei",
      "-mabi=lp64",
      "-mcmodel=medany",
      "-msmall-data-limit=0",
      "-fno-optimize-sibling-calls",
    ],
    linker: ["riscv64-linux-gnu-ld", "--no-relax", "-m", "elf64lriscv"],
    binutils: "riscv64-linux-gnu-",
    emulator: ["qemu-riscv64"],
    gdb: "gdb-multiarch",
    wordSize: 8,
    low: 0x5a200000n,
    high: 0xffffffc000000000n,
    relocatableModules: false,
  },
];

/** Frame pointers as FreeBSD's kernels have them, or none. */
export const WITH_FRAME_POINTERS = ["-O2", "-fno-omit-frame-pointer"];

/** The files of a kernel that was made. */
export interface MadeKernel {
  readonly target: Target;
  readonly directory: string;
  /** Without debug info, the debug info, and both in one. */
  readonly kernel: Uint8Array;
  readonly debug: Uint8Array;
  readonly module: Uint8Array;
  readonly moduleDebug: Uint8Array;
  readonly moduleAddress: bigint;
  /** Where the module's sections lie. */
  readonly moduleSections: ReadonlyMap<string, bigint>;
  readonly full: Uint8Array;
  readonly elf: ElfFile;
  /** Lets it crash. `breakAt` is an instruction of the kernel to be stopped at. */
  crash(kind: number, breakAt?: bigint): Promise<CrashedKernel>;
  run(tool: string, args: readonly string[]): Promise<string>;
}

/** The memory of a kernel that crashed. */
export interface CrashedKernel {
  readonly made: MadeKernel;
  /** Memory by address. */
  readonly memory: readonly { readonly address: bigint; readonly bytes: Uint8Array }[];
  /** Where each thread's registers are; `null` where they are lost. */
  readonly threads: readonly { readonly tid: number; readonly pcb: bigint | null }[];
}

const PAGES = ["-z", "max-page-size=4096", "-z", "common-page-size=4096"];

/** Makes the kernel for a machine. */
export async function makeKernel(
  target: Target,
  directory: string,
  flags: readonly string[] = WITH_FRAME_POINTERS,
): Promise<MadeKernel> {
  const run = (tool: string, args: readonly string[]) => text(directory, tool, args);
  const [gcc, ...gccFlags] = target.compiler;
  const compile = async (source: string, object: string, more: readonly string[] = []) => {
    const options = [...gccFlags, ...FREE, ...flags, ...more, `-I${HERE}`, `-I${HERE}${target.name}`];
    await run(gcc!, [...options, "-c", "-o", object, HERE + source]);
  };
  const objects = ["kern.c", "victims.c", `${target.name}/machine.c`, `${target.name}/entry.S`];
  const names = objects.map((_, i) => `${i}.o`);
  await Promise.all(objects.map((source, i) => compile(source, names[i]!)));
  // An empty shared object makes the linker write dynamic symbols, as FreeBSD's own build does.
  const [ld, ...ldFlags] = target.linker;
  await Deno.writeTextFile(`${directory}/empty.c`, "");
  await run(gcc!, [...gccFlags, "-fno-pic", "-c", "-o", "empty.o", "empty.c"]);
  await run(ld!, [...ldFlags, "-shared", "-o", "empty.so", "empty.o"]);
  const link = async (output: string, base: bigint) => {
    const layout = [`-Ttext-segment=${hex(base)}`, "--defsym", `kernbase=${hex(base)}`, "--build-id=sha1"];
    const dynamic = ["-Bdynamic", "--export-dynamic", "-dynamic-linker", "/red/herring", "--hash-style=sysv"];
    await run(ld!, [
      ...ldFlags,
      ...layout,
      ...dynamic,
      "-z",
      "norelro",
      ...PAGES,
      "-o",
      output,
      ...names,
      "empty.so",
    ]);
  };
  await link("low", target.low);
  await link("kernel.full", target.high);
  await makeRunnable(`${directory}/low`);
  const split = async (full: string, stripped: string) => {
    await run(`${target.binutils}objcopy`, ["--only-keep-debug", full, `${stripped}.debug`]);
    await run(`${target.binutils}objcopy`, [
      "--strip-debug",
      `--add-gnu-debuglink=${stripped}.debug`,
      full,
      stripped,
    ]);
  };
  await split("kernel.full", "kernel");
  await compile(
    "module.c",
    "crashme.full",
    target.relocatableModules ? [] : ["-fpic", "-fvisibility=hidden"],
  );
  if (!target.relocatableModules) {
    await run(ld!, [...ldFlags, "-shared", "-z", "norelro", ...PAGES, "-o", "crashme.so", "crashme.full"]);
    await Deno.rename(`${directory}/crashme.so`, `${directory}/crashme.full`);
  }
  await split("crashme.full", "crashme.ko");
  const moduleAt = (base: bigint) => base + MODULE_OFFSET;
  const placed = async (base: bigint) =>
    target.relocatableModules
      ? await linkModule(run, directory, [ld!, ...ldFlags], moduleAt(base))
      : await mapModule(directory, moduleAt(base));
  const [low, high] = [await placed(target.low), await placed(target.high)];
  const file = (name: string) => Deno.readFile(`${directory}/${name}`);
  const full = await file("kernel.full");
  const elf = await readElfFile(readAtOf(full));
  await Deno.writeFile(`${directory}/module.image`, low.image);
  const made: MadeKernel = {
    target,
    directory,
    kernel: await file("kernel"),
    debug: await file("kernel.debug"),
    module: await file("crashme.ko"),
    moduleDebug: await file("crashme.ko.debug"),
    moduleAddress: moduleAt(target.high),
    moduleSections: high.sections,
    full,
    elf,
    crash: (kind, breakAt) =>
      crash(made, [
        `${kind}`,
        "module.image",
        low.image.byteLength.toString(16),
        low.entry.toString(16),
        breakAt === undefined ? "0" : (breakAt - target.high + target.low).toString(16),
      ]),
    run,
  };
  return made;
}

const MODULE_OFFSET = 0x100000n;
const MODULE_BYTES = 0x4000;
const REBASED_BYTES = 0x200000n;

interface PlacedModule {
  readonly image: Uint8Array;
  readonly entry: bigint;
  readonly sections: ReadonlyMap<string, bigint>;
}

/** The linker, told where everything lies, is the loader: sections in the file's order (section 11.2). */
async function linkModule(
  run: MadeKernel["run"],
  directory: string,
  [ld, ...flags]: readonly string[],
  base: bigint,
): Promise<PlacedModule> {
  const file = await readElfFile(readAtOf(await Deno.readFile(`${directory}/crashme.ko`)));
  const sections = new Map<string, bigint>();
  let end = base;
  for (const { name, allocated, size, alignment } of file.sections) {
    if (!allocated || size === 0) continue;
    end = (end + BigInt(alignment) - 1n) / BigInt(alignment) * BigInt(alignment);
    sections.set(name, end);
    end += BigInt(size);
  }
  const places = [...sections].map(([name, address]) => `${name} ${hex(address)} : { *(${name}) }`);
  await Deno.writeTextFile(`${directory}/place.ld`, `SECTIONS { ${places.join("\n")} }`);
  await run(ld!, [...flags, "-T", "place.ld", "-e", "crashme_event", "-o", "placed", "crashme.ko"]);
  const bytes = await Deno.readFile(`${directory}/placed`);
  const placed = await readElfFile(readAtOf(bytes));
  const image = new Uint8Array(Number(end - base));
  for (const [name, address] of sections) {
    const { type, offset, size } = placed.section(name)!;
    if (type !== NOBITS) image.set(bytes.subarray(offset, offset + size), Number(address - base));
  }
  return { image, entry: await entryOf(`${directory}/placed`), sections };
}

/** A shared object without relocations lies in memory as in its segments. */
async function mapModule(directory: string, base: bigint): Promise<PlacedModule> {
  const bytes = await Deno.readFile(`${directory}/crashme.ko`);
  const file = await readElfFile(readAtOf(bytes));
  const image = new Uint8Array(MODULE_BYTES);
  let end = 0;
  for (const { allocated, type, address, offset, size } of file.sections) {
    if (!allocated) continue;
    if (type !== NOBITS) image.set(bytes.subarray(offset, offset + size), Number(address));
    end = Math.max(end, Number(address) + size);
  }
  const symbols = await runText(["nm", `${directory}/crashme.full`]);
  const entry = BigInt(`0x${/^([0-9a-f]+) \w crashme_event$/m.exec(symbols)![1]}`);
  return { image: image.subarray(0, end), entry: base + entry, sections: new Map([["", base]]) };
}

const NOBITS = 8;

async function entryOf(path: string): Promise<bigint> {
  const { buffer } = await Deno.readFile(path);
  const view = new DataView(buffer);
  return view.getUint8(4) === 2 ? view.getBigUint64(24, true) : BigInt(view.getUint32(24, true));
}

/** Without an interpreter and a dynamic section the system runs it as it is. */
async function makeRunnable(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  for (const { at, type } of segmentsOf(bytes)) {
    if (type === INTERPRETER || type === DYNAMIC) new DataView(bytes.buffer).setUint32(at, 0, true);
  }
  await Deno.writeFile(path, bytes);
  await Deno.chmod(path, 0o755);
}

const LOAD = 1;
const DYNAMIC = 2;
const INTERPRETER = 3;
const WRITABLE = 2;

function segmentsOf(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[4] === 2;
  const word = (at: number) => wide ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
  const table = Number(word(wide ? 32 : 28));
  const [size, count] = [view.getUint16(wide ? 54 : 42, true), view.getUint16(wide ? 56 : 44, true)];
  return Array.from({ length: count }, (_, i) => {
    const at = table + i * size;
    const [flags, offset, address, fileSize] = wide ? [4, 8, 16, 32] : [24, 4, 8, 16];
    return {
      at,
      type: view.getUint32(at, true),
      flags: view.getUint32(at + flags!, true),
      offset: Number(word(at + offset!)),
      address: word(at + address!),
      fileSize: Number(word(at + fileSize!)),
    };
  });
}

async function crash(made: MadeKernel, args: readonly string[]): Promise<CrashedKernel> {
  const { target, directory } = made;
  const command = [...target.emulator, `${directory}/low`, ...args];
  const { code, signal, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    cwd: directory,
    stdin: "null",
    signal: AbortSignal.timeout(20_000),
  }).output();
  const told = new TextDecoder().decode(stderr);
  if (code !== 0) throw new Error(`The kernel that was made ended with ${code} ${signal}: ${told}`);
  const up = target.high - target.low;
  const all = stdout.slice();
  rebase(all, target, up);
  const kernel = all.subarray(0, all.byteLength - MODULE_BYTES);
  const { full } = made;
  for (const { type, flags, offset, address, fileSize } of segmentsOf(full)) {
    if (type !== LOAD || (flags & WRITABLE) !== 0) continue;
    kernel.set(full.subarray(offset, offset + fileSize), Number(address - target.high));
  }
  const moduleBytes = all.subarray(kernel.byteLength);
  const threads = told.trimEnd().split("\n").map((line) => {
    const [tid, pcb] = line.trim().split(" ").map((word) => BigInt(`0x${word}`));
    return { tid: Number(tid), pcb: pcb === 0n ? null : pcb! + up };
  });
  const memory = [
    { address: target.high, bytes: kernel },
    { address: made.moduleAddress, bytes: moduleBytes },
  ];
  return { made, memory, threads };
}

/** Every word that points to where it ran points to where a kernel lies. */
function rebase(bytes: Uint8Array, { low, wordSize }: Target, up: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (up === 0n || wordSize !== 8) return;
  for (let at = 0; at + 8 <= bytes.byteLength; at += 8) {
    const word = view.getBigUint64(at, true);
    if (word >= low && word < low + REBASED_BYTES) view.setBigUint64(at, BigInt.asUintN(64, word + up), true);
  }
}

async function text(cwd: string, tool: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(tool, { args: [...args], cwd, stdin: "null" })
    .output();
  if (code !== 0) throw new Error(`${tool} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function runText([tool, ...args]: readonly string[]): Promise<string> {
  return await text(".", tool!, args);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** A test of a kernel that is made for it: skipped, and says so, where a tool is missing. */
export function madeTest(
  name: string,
  { target, flags }: { target: Target; flags?: readonly string[] },
  test: (made: MadeKernel) => Promise<void>,
): void {
  const missing = [target.compiler[0]!, target.linker[0]!, target.gdb, ...target.emulator].find((tool) =>
    !isThere(tool)
  );
  const why = Deno.build.os !== "linux" || Deno.build.arch !== "x86_64"
    ? "the machine is no Linux on amd64"
    : missing === undefined
    ? ""
    : `no ${missing} here`;
  Deno.test({
    name: `${target.name}: ${name}${why === "" ? "" : ` (skipped: ${why})`}`,
    ignore: why !== "",
    fn: async () => {
      const directory = await Deno.makeTempDir({ prefix: "netdump-test-" });
      try {
        await test(await makeKernel(target, directory, flags));
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

function isThere(tool: string): boolean {
  try {
    return new Deno.Command(tool, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}
