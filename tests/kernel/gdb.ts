/** gdb as the oracle: the frames of every thread of a kernel that was made. */

import { madeProcessCore } from "./made_process_core.ts";
import type { CrashedKernel, MadeKernel } from "./made_kernel.ts";

/** A frame as gdb shows it. */
export interface GdbFrame {
  readonly pc: string;
  readonly kind: "normal" | "inline" | "trap";
  readonly name: string | null;
  readonly file: string | null;
  readonly line: number | null;
}

const SCRIPT = `
import gdb, json, os, sys
def told(frame):
    kind = {gdb.INLINE_FRAME: "inline", gdb.SIGTRAMP_FRAME: "trap"}.get(frame.type(), "normal")
    place = frame.find_sal()
    name = place.symtab.filename.split("/")[-1] if place.symtab else None
    return {"pc": hex(frame.pc()), "kind": kind, "name": frame.name(), "file": name, "line": place.line if place.symtab else None}
def stack(user):
    frames, frame = [], gdb.newest_frame()
    while frame is not None and len(frames) < 1000:
        if frame.pc() == user: break
        # Functions that ended in a jump have no frame: gdb works out that they were there.
        if frame.type() != gdb.TAILCALL_FRAME: frames.append(told(frame))
        if frame.name() == "fork_trampoline": break
        frame = frame.older()
    return frames
def tell(core, user, only):
    gdb.execute("core-file " + core, to_string=True)
    threads = {}
    for thread in gdb.selected_inferior().threads():
        tid = thread.ptid[1] or thread.ptid[0]
        if only not in (None, tid): continue
        thread.switch()
        threads[tid] = stack(user)
    print("FRAMES " + json.dumps(threads))
`;

/** The frames of all threads, or of one, by their ids, of each kernel in turn: they were made from the same files. */
export async function gdbFrames(
  made: MadeKernel,
  crashes: readonly CrashedKernel[],
  only: number | null = null,
): Promise<Map<number, readonly GdbFrame[]>[]> {
  const { directory, target } = made;
  const commands = [
    "set confirm off",
    "set osabi GNU/Linux",
    "set backtrace past-main on",
    "set backtrace past-entry on",
    "set backtrace limit unlimited",
    "file kernel.full",
    addModule(made),
    "source frames.py",
  ];
  await Deno.writeTextFile(`${directory}/frames.py`, SCRIPT);
  for (const [i, crashed] of crashes.entries()) {
    await Deno.writeFile(`${directory}/core.${i}`, madeProcessCore(crashed));
    commands.push(`python tell("core.${i}", ${USER_PCS[target.name]}, ${only ?? "None"})`);
  }
  await Deno.writeTextFile(`${directory}/commands`, commands.join("\n"));
  const output = await made.run(target.gdb, ["-nx", "-batch", "-x", "commands"]);
  const lines = output.split("\n").filter((line) => line.startsWith("FRAMES "));
  if (lines.length !== crashes.length) throw new Error(`gdb told of ${lines.length} kernels: ${output}`);
  return lines.map((line) =>
    new Map(
      Object.entries(JSON.parse(line.slice(7)) as Record<string, GdbFrame[]>).map(([tid, frames]) =>
        [Number(tid), frames] as const
      ),
    )
  );
}

/** Where user code was interrupted: behind it gdb knows nothing either. */
const USER_PCS = { amd64: 0x80038312a, i386: 0x20401234, arm64: 0x40380310, riscv64: 0x40380310 } as const;

function addModule({ target, moduleAddress, moduleSections }: MadeKernel): string {
  if (!target.relocatableModules) return `add-symbol-file crashme.full -o 0x${moduleAddress.toString(16)}`;
  const places = [...moduleSections].map(([name, address]) => `-s ${name} 0x${address.toString(16)}`);
  return `add-symbol-file crashme.full ${places.join(" ")}`;
}
