/**
 * Tries, with the permissions of a receiver, what a receiver must not be able to do, and what it must. Each attempt
 * is told of by "done" or by the name of the error.
 */
/// <reference lib="deno.worker" />
import { join } from "@std/path";
import { openSockets } from "../../lib/udp/open.ts";

/** Where to try. */
export interface Playground {
  readonly root: string;
  readonly address: string;
  readonly otherAddress: string;
  readonly ackPort: number;
  readonly tcpPort: number;
  /** The library that receivers may open. */
  readonly library: string;
}

/** What was tried, and whether the library moves datagrams. */
export interface Outcome {
  readonly attempts: Attempts;
  readonly isNative: boolean;
}

function attempts({ root, address, otherAddress, ackPort, tcpPort, library }: Playground) {
  const send = async (port: number) => {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: address, port: 0 });
    try {
      await socket.send(new Uint8Array(4), { transport: "udp", hostname: otherAddress, port });
    } finally {
      socket.close();
    }
  };
  return {
    "write in the dump directory": () => Deno.writeTextFile(join(root, "file"), "text"),
    "read in the dump directory": () => Deno.readTextFile(join(root, "file")),
    "send an ack": () => send(ackPort),
    "read /etc/passwd": () => Deno.readTextFile("/etc/passwd"),
    "read the program": () => Deno.readTextFile(new URL(import.meta.url)),
    "list /": () => Deno.readDir("/")[Symbol.asyncIterator]().next(),
    "write beside the dump directory": () => Deno.writeTextFile(`${root}.txt`, "text"),
    "write above the dump directory": () => Deno.writeTextFile(join(root, "..", "netdump-escaped"), "text"),
    "make a symbolic link": () => Deno.symlink("/etc/passwd", join(root, "link")),
    "link a file from outside": () => Deno.link("/etc/passwd", join(root, "hard-link")),
    "rename a file out": () => Deno.rename(join(root, "file"), `${root}.txt`),
    "bind another address": () =>
      Deno.listenDatagram({ transport: "udp", hostname: otherAddress, port: 0 }).close(),
    "bind all addresses": () =>
      Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 }).close(),
    "send elsewhere": () => send(tcpPort),
    "connect by TCP": async () => (await Deno.connect({ hostname: otherAddress, port: tcpPort })).close(),
    "resolve a name": () => Deno.resolveDns("example.org", "A"),
    "fetch": () => fetch(`http://${otherAddress}:${tcpPort}/`),
    "run a program": () => new Deno.Command("/bin/true").output(),
    "read the environment": () => Deno.env.get("HOME"),
    "load a library": () => Deno.dlopen("libm.so.6", {}),
    "load the library that moves datagrams": () => Deno.dlopen(library, {}),
    "take an address": () => Deno.UnsafePointer.of(new Uint8Array(8)),
    "make an address": () => Deno.UnsafePointer.create(4096n),
    "have itself called": () => new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {}).close(),
    "ask for the host name": () => Deno.hostname(),
    "signal another process": () => Deno.kill(1, "SIGCONT"),
    "be given more": async () => {
      const { state } = await Deno.permissions.request({ name: "run" });
      if (state !== "granted") throw new Deno.errors.NotCapable(state);
    },
    "start a worker with more": () =>
      new Worker(import.meta.url, { type: "module", deno: { permissions: { run: true } } } as WorkerOptions),
  } satisfies Record<string, () => unknown>;
}

/** What became of each attempt. */
export type Attempts = Record<keyof ReturnType<typeof attempts>, string>;

const worker = self as unknown as DedicatedWorkerGlobalScope;

worker.onmessage = async (event: MessageEvent<Playground>) => {
  const sockets = await openSockets(event.data.address);
  const results: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts(event.data))) {
    try {
      await attempt();
      results[name] = "done";
    } catch (error) {
      results[name] = (error as Error).name;
    }
  }
  sockets.close();
  worker.postMessage({ attempts: results as Attempts, isNative: sockets.isNative } satisfies Outcome);
};
