/**
 * A kernel in miniature (`made/`), compiled, run and made to crash: what it leaves behind becomes the memory of a kernel
 * at a kernel's addresses (reference kernel-symbols.md, section 18.3).
 */

import { readAtOf } from "../../lib/bytes/source.ts";
import { type ElfFile, readElfFile } from "../../lib/kernel/elf_file.ts";
import { PATIENCE_MS } from "../patience.ts";
import { buildModule, MODULE_BYTES, MODULE_OFFSET, type PlacedModule } from "./made_module.ts";
import type { Target } from "./made_targets.ts";
import { hex, openWorkshop, type Workshop } from "./made_workshop.ts";

/** Frame pointers as FreeBSD's kernels have them. */
const WITH_FRAME_POINTERS = ["-O2", "-fno-omit-frame-pointer"];

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

/** Makes the kernel for a machine. What the tools make is made once for all that ask for it, and copied for each. */
export async function makeKernel(
  target: Target,
  directory: string,
  flags: readonly string[] = WITH_FRAME_POINTERS,
): Promise<MadeKernel> {
  const { files, low, high } = await buildOnce(target, flags);
  for (const [name, { bytes, mode }] of files) await Deno.writeFile(`${directory}/${name}`, bytes, { mode });
  const file = (name: string) => files.get(name)!.bytes;
  const made: MadeKernel = {
    target,
    directory,
    kernel: file("kernel"),
    debug: file("kernel.debug"),
    module: file("crashme.ko"),
    moduleDebug: file("crashme.ko.debug"),
    moduleAddress: target.high + MODULE_OFFSET,
    moduleSections: high.sections,
    full: file("kernel.full"),
    elf: await readElfFile(readAtOf(file("kernel.full"))),
    crash: (kind, breakAt) =>
      crash(made, [
        `${kind}`,
        "module.image",
        low.image.byteLength.toString(16),
        low.entry.toString(16),
        breakAt === undefined ? "0" : (breakAt - target.high + target.low).toString(16),
      ]),
    run: openWorkshop(target, directory, flags).run,
  };
  return made;
}

/** What the tools make: every file, and where the module lies in what runs and in the kernel. */
interface Build {
  readonly files: ReadonlyMap<string, { readonly bytes: Uint8Array; readonly mode: number }>;
  readonly low: PlacedModule;
  readonly high: PlacedModule;
}

const builds = new Map<string, Promise<Build>>();

function buildOnce(target: Target, flags: readonly string[]): Promise<Build> {
  const key = [target.name, target.title, ...flags].join(" ");
  const build = builds.get(key) ?? buildAll(target, flags);
  builds.set(key, build);
  return build;
}

async function buildAll(target: Target, flags: readonly string[]): Promise<Build> {
  const directory = await Deno.makeTempDir({ prefix: "netdump-test-" });
  try {
    const workshop = openWorkshop(target, directory, flags);
    await buildKernel(workshop);
    const module = await buildModule(workshop);
    const [low, high] = [await module.placedAt(target.low), await module.placedAt(target.high)];
    await Deno.writeFile(`${directory}/module.image`, low.image);
    const files = new Map<string, { bytes: Uint8Array; mode: number }>();
    for await (const { name } of Deno.readDir(directory)) {
      const path = `${directory}/${name}`;
      files.set(name, { bytes: await Deno.readFile(path), mode: (await Deno.stat(path)).mode! & 0o777 });
    }
    return { files, low, high };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Links the kernel twice from the same objects: to run, and as a kernel. */
async function buildKernel({ target, directory, run, compile, link, split }: Workshop): Promise<void> {
  const sources = ["kern.c", "victims.c", `${target.name}/machine.c`, `${target.name}/entry.S`];
  const objects = sources.map((_, i) => `${i}.o`);
  await Promise.all(sources.map((source, i) => compile(source, objects[i]!)));
  // An empty shared object makes the linker write dynamic symbols, as FreeBSD's own build does.
  await Deno.writeTextFile(`${directory}/empty.c`, "");
  await run(target.compiler[0]!, [...target.compiler.slice(1), "-fno-pic", "-c", "-o", "empty.o", "empty.c"]);
  await link(["-shared", "-o", "empty.so", "empty.o"]);
  for (const [output, base] of [["low", target.low], ["kernel.full", target.high]] as const) {
    const layout = [
      `${target.baseOption}=${hex(base)}`,
      "--defsym",
      `kernbase=${hex(base)}`,
      "--build-id=sha1",
    ];
    const dynamic = ["-Bdynamic", "--export-dynamic", "-dynamic-linker", "/red/herring", "--hash-style=sysv"];
    await link([...layout, ...dynamic, "-o", output, ...objects, "empty.so"]);
  }
  await makeRunnable(`${directory}/low`);
  await split("kernel.full", "kernel");
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
    signal: AbortSignal.timeout(PATIENCE_MS),
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

/** What is moved: the kernel, and the module behind it. */
const REBASED_BYTES = 0x200000n;

/** Every word that points to where it ran points to where a kernel lies. */
function rebase(bytes: Uint8Array, { low, wordSize }: Target, up: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (up === 0n || wordSize !== 8) return;
  for (let at = 0; at + 8 <= bytes.byteLength; at += 8) {
    const word = view.getBigUint64(at, true);
    if (word >= low && word < low + REBASED_BYTES) view.setBigUint64(at, BigInt.asUintN(64, word + up), true);
  }
}
