import { assertEquals } from "@std/assert";
import { existsSync } from "@std/fs/exists";
import { receiverPermissions, startReceiver } from "../../lib/serve/receiver_pool.ts";
import { LIBC_PATHS, openLibc } from "../../lib/udp/native_abi.ts";
import { freshAddress } from "../end_to_end/addresses.ts";
import { TempDir } from "../temp_dir.ts";
import type { Attempts, Outcome, Playground } from "./sandbox_worker.ts";

/** What a receiver must be able to do. */
const ALLOWED: readonly (keyof Attempts)[] = [
  "write in the dump directory",
  "read in the dump directory",
  "send an ack",
];

/** The library of this machine, if receivers can use it here. */
const library = openLibc() === undefined ? undefined : LIBC_PATHS.find(existsSync);

for (const ffi of library === undefined ? [[]] : [[], [library]]) {
  const way = ffi.length === 0 ? "Deno's datagrams" : "native datagrams";
  Deno.test(`a receiver with ${way} can use the dump directory, its addresses and the clients' port, and nothing else`, async () => {
    await tryEverything(ffi);
  });
}

async function tryEverything(ffi: readonly string[]): Promise<void> {
  using temp = new TempDir("disk");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const playground: Playground = {
    root: temp.path,
    address: freshAddress(),
    otherAddress: "127.0.0.1",
    ackPort: 20024,
    tcpPort: listener.addr.port,
    library: library ?? LIBC_PATHS[0],
  };
  const { root, address, ackPort } = playground;
  const permissions = receiverPermissions({
    root,
    addresses: [address],
    clients: ["0.0.0.0/0"],
    ackPort,
    ffi,
  });
  const options = { type: "module", deno: { permissions } } as WorkerOptions;
  const worker = new Worker(new URL("./sandbox_worker.ts", import.meta.url), options);
  try {
    const results = await new Promise<Outcome>((resolve, reject) => {
      worker.onmessage = (event) => resolve(event.data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(playground);
    });
    const expected = Object.fromEntries(
      Object.keys(results.attempts).map((name) => {
        return [name, (ALLOWED as string[]).includes(name) ? "done" : "NotCapable"];
      }),
    );
    assertEquals(results, { attempts: expected as Attempts, isNative: ffi.length > 0 });
  } finally {
    worker.terminate();
  }
}

Deno.test("a receiver is started with those permissions, whatever the main thread has", async () => {
  using temp = new TempDir("disk");
  const permissions = receiverPermissions({
    root: temp.path,
    addresses: [],
    clients: [],
    ackPort: 20024,
    ffi: [],
  });
  const worker = startReceiver("receiver 0", permissions);
  try {
    // It has no address of its own, so it cannot bind what it is told to.
    const session = {
      id: "x",
      client: "127.0.0.2",
      local: "127.0.0.1",
      port: 0,
      heraldSeqno: 1,
      path: null,
      startedMs: 0,
    };
    const settings = {
      root: temp.path,
      defaultPath: ".",
      ackPort: 20024,
      timeoutMs: 1000,
      lingerMs: 1000,
      mostBytes: null,
      minFree: 0,
      native: null,
      keep: null,
      trace: false,
    };
    const report = await new Promise((resolve) => {
      worker.onmessage = ({ data }) => data.report !== "ready" && resolve(data);
      worker.postMessage({ order: "start", settings });
      worker.postMessage({ order: "open", session });
    });
    assertEquals((report as { report: string }).report, "refused");
  } finally {
    worker.terminate();
  }
});
