/**
 * A network and a memory file system of the bench's own, so that no other server or client of the machine is in
 * its way, and no disk: namespaces of Linux, which root may make, and others where the system lets them.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";

/** Set for the bench inside; its value is the directory. */
const VARIABLE = "NETDUMP_BENCH_DIRECTORY";
const MAIN = fromFileUrl(new URL("main.ts", import.meta.url));
/** Run with the directory and the command: the bench gets what is mounted, and all of it goes away with it. */
const ENTER = 'ip link set lo up && mount -t tmpfs -o size=75% netdump-bench "$0" && exec "$@"';

/** Where the bench runs. */
export interface Place {
  /** A directory of its own. */
  readonly directory: string;
  /** Whether network and directory are of its own, the latter in memory. */
  readonly isolated: boolean;
}

/** The place that this process was put into by {@linkcode runIsolated}, if it was. */
export function isolatedPlace(): Place | undefined {
  const directory = Deno.env.get(VARIABLE);
  return directory === undefined ? undefined : { directory, isolated: true };
}

/**
 * Runs the bench again in namespaces of its own.
 *
 * @returns its exit status; `undefined` if there can be no namespaces here
 */
export async function runIsolated(args: readonly string[]): Promise<number | undefined> {
  const unshare = await namespaces();
  if (unshare === undefined) return undefined;
  const directory = await Deno.makeTempDir({ prefix: "netdump-bench-" });
  try {
    const self = [Deno.execPath(), "run", "-A", "--no-prompt", MAIN, ...args];
    const [program, ...rest] = [...unshare, "sh", "-c", ENTER, directory, ...self];
    const process = new Deno.Command(program!, { args: rest, env: { [VARIABLE]: directory } }).spawn();
    // A terminal's interrupt reaches the bench inside too; this one stays to tidy up behind it.
    Deno.addSignalListener("SIGINT", onInterrupt);
    return (await process.status).code;
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
    await Deno.remove(directory, { recursive: true });
  }
}

function onInterrupt(): void {}

/** The command that gives another command its own network and mounts. */
async function namespaces(): Promise<string[] | undefined> {
  const mountPoint = await Deno.makeTempDir({ prefix: "netdump-bench-" });
  try {
    for (const flags of [["-n", "-m"], ["-r", "-n", "-m"]]) {
      if (await succeeds("unshare", ...flags, "sh", "-c", ENTER, mountPoint, "true")) {
        return ["unshare", ...flags];
      }
    }
    return undefined;
  } finally {
    await Deno.remove(mountPoint);
  }
}

/** Tells whether a command is there and succeeds. */
export async function succeeds(program: string, ...args: string[]): Promise<boolean> {
  try {
    const output = { stdin: "null", stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command(program, { args, ...output }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A new directory below the bench's. */
export function makeDirectory(place: Place, name: string): string {
  const path = join(place.directory, name);
  Deno.mkdirSync(path);
  return path;
}
