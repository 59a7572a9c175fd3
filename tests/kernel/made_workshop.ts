/** The tools that kernels are made with, for one machine in one directory (see `made_kernel.ts`). */

import type { Target } from "./made_targets.ts";

/** Runs the tools. Names of files are those in the directory. */
export interface Workshop {
  readonly target: Target;
  readonly directory: string;
  /** Runs a program, and gives what it prints. */
  run(tool: string, args: readonly string[]): Promise<string>;
  /** Compiles a source of `made/`. */
  compile(source: string, object: string, more?: readonly string[]): Promise<void>;
  link(args: readonly string[]): Promise<void>;
  /** Splits a file into what is loaded and `STRIPPED.debug`. */
  split(full: string, stripped: string): Promise<void>;
}

const SOURCES = new URL("made/", import.meta.url).pathname;
const FREESTANDING = [
  "-ffreestanding",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-g",
  "-fno-pic",
];
const LAYOUT = ["-z", "norelro", "-z", "max-page-size=4096", "-z", "common-page-size=4096"];

/** Opens the workshop; `flags` are the compiler's. */
export function openWorkshop(target: Target, directory: string, flags: readonly string[]): Workshop {
  const { compiler, assembler = compiler } = target;
  const [linker, ...linkerFlags] = target.linker;
  const includes = [`-I${SOURCES}`, `-I${SOURCES}${target.name}`];
  const run = async (tool: string, args: readonly string[]) => {
    const command = new Deno.Command(tool, { args: [...args], cwd: directory, stdin: "null" });
    const { code, stdout, stderr } = await command.output();
    if (code !== 0) throw new Error(`${tool} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  };
  const objcopy = (...args: string[]) => run(`${target.binutils}objcopy`, args);
  return {
    target,
    directory,
    run,
    async compile(source, object, more = []) {
      const [tool, ...toolFlags] = source.endsWith(".S") ? assembler : compiler;
      const options = [...toolFlags, ...FREESTANDING, ...flags, ...more, ...includes];
      await run(tool!, [...options, "-c", "-o", object, SOURCES + source]);
    },
    async link(args) {
      await run(linker!, [...linkerFlags, ...LAYOUT, ...args]);
    },
    async split(full, stripped) {
      await objcopy("--only-keep-debug", full, `${stripped}.debug`);
      await objcopy("--strip-debug", `--add-gnu-debuglink=${stripped}.debug`, full, stripped);
    },
  };
}

/** An address as tools take it. */
export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
