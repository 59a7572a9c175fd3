/**
 * The servers that are measured, each as a process of its own with an empty dump directory.
 *
 * @module
 */
import { join } from "@std/path";
import { netdumpCommand, ServerProcess } from "../end_to_end/server_process.ts";
import { HERALD_PORT } from "../../lib/protocol/message.ts";
import type { Bench } from "./bench.ts";
import { makeDirectory, type Place } from "./isolation.ts";
import { untilBound } from "./machine.ts";

/** The server's address: one, as more would only be more sockets. */
export const SERVER = "127.0.0.1";
/** Name of the server in C. */
export const REFSERVER = "refserver";
const START_PATIENCE_MS = 20_000;

/** A server to measure. */
export interface ServerKind {
  readonly name: string;
  start(): Promise<RunningServer>;
}

/** A server that runs. */
export interface RunningServer {
  readonly pid: number;
  /** Its dump directory. */
  readonly directory: string;
  /** Ends it and removes what it received. */
  stop(): Promise<void>;
}

let directories = 0;

/** `netdump serve`; with the default number of receivers unless another is given. */
export function netdumpServer(bench: Bench, workers?: number, args: readonly string[] = []): ServerKind {
  const words = workers === undefined ? [] : [`${workers} worker${workers === 1 ? "" : "s"}`];
  return {
    name: ["netdump", ...words, ...args].join(", "),
    async start() {
      const directory = makeDirectory(bench.place, `dumps-${directories++}`);
      const server = await ServerProcess.start({
        dir: directory,
        address: SERVER,
        port: bench.port,
        args: [
          ...["--no-dns", "--min-free", "0%"],
          ...(workers === undefined ? [] : ["--workers", `${workers}`]),
          ...args,
        ],
        wrap: (command) => bench.program === undefined ? command : compiled(bench.program, command),
      });
      return {
        pid: server.pid,
        directory,
        async stop() {
          await server.stop();
          await Deno.remove(directory, { recursive: true });
        },
      };
    },
  };
}

/** The command line of a compiled program that does what the given one of Deno does. */
export function compiled(program: string, command: readonly string[]): string[] {
  return [program, ...command.slice(netdumpCommand([]).length)];
}

/** The server in C, which knows one port only; `undefined` where that is not the bench's, or it is not there. */
export function referenceServer(bench: Bench): ServerKind | undefined {
  const { instruments, place, port } = bench;
  if (instruments === undefined || port !== HERALD_PORT) return undefined;
  return {
    name: REFSERVER,
    start: () => startPlain(place, HERALD_PORT, (directory) => [instruments.refserver, SERVER, directory]),
  };
}

/** Starts a server that says nothing when it is ready. */
async function startPlain(
  place: Place,
  port: number,
  commandFor: (directory: string) => readonly string[],
): Promise<RunningServer> {
  const directory = makeDirectory(place, `dumps-${directories++}`);
  const [program, ...args] = commandFor(directory);
  const process = new Deno.Command(program!, { args }).spawn();
  await untilBound(port, START_PATIENCE_MS);
  return {
    pid: process.pid,
    directory,
    async stop() {
      process.kill("SIGTERM");
      await process.status;
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** Removes the dumps of a server that goes on, which may still be renaming what no ack depends on. */
export async function removeDumps(server: RunningServer): Promise<void> {
  for await (const { name, isFile, isSymlink } of Deno.readDir(server.directory)) {
    if (!isFile && !isSymlink) continue;
    try {
      await Deno.remove(join(server.directory, name));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
