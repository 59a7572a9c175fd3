/** A server within a test: supervisor, receivers in workers, real sockets and files. */
import { realFileSystem } from "../../lib/os/file_system.ts";
import type { EventName, EventOf, ServerEvent } from "../../lib/serve/events.ts";
import type { Report } from "../../lib/serve/orders.ts";
import { startReceiver } from "../../lib/serve/receiver_pool.ts";
import { StateDirectory } from "../../lib/serve/store/state_directory.ts";
import { type ServerSettings, Supervisor } from "../../lib/serve/supervisor.ts";
import { LIBC_PATHS } from "../../lib/udp/native_abi.ts";
import { freshAddress, freshPort } from "../end_to_end/addresses.ts";
import { TempDir } from "../temp_dir.ts";
import { PATIENCE_MS } from "../patience.ts";

/** A server within the test, whose workers can be made to crash and whose machine can get addresses. */
export class ServerUnderTest {
  readonly temp = new TempDir("disk");
  readonly address = freshAddress();
  readonly port = freshPort();
  readonly workers: Worker[] = [];
  readonly log: ServerEvent[] = [];
  readonly addresses = [this.address];
  /** Reports of this kind do not arrive, as the last of a receiver that crashes. */
  loses: Report["report"] | undefined;
  /** No report arrives at all. */
  losesAll = false;
  supervisor!: Supervisor;

  /** @param prepare puts into the dump directory what an earlier server left */
  static async start(
    settings: Partial<ServerSettings> = {},
    prepare: (server: ServerUnderTest) => void = () => {},
  ): Promise<ServerUnderTest> {
    const server = new ServerUnderTest();
    prepare(server);
    const state = await StateDirectory.open(realFileSystem, server.temp.path);
    const all: ServerSettings = {
      root: server.temp.path,
      defaultPath: ".",
      heraldPort: server.port,
      ackPort: 20024,
      bind: [server.address],
      allow: [],
      timeoutMs: 60_000,
      lingerMs: 60_000,
      mostBytes: null,
      minFree: 0,
      mostSessions: 100,
      mostSessionsPerClient: 4,
      keep: null,
      trace: false,
      workers: 1,
      ...settings,
    };
    server.supervisor = new Supervisor(all, {
      fs: realFileSystem,
      state,
      names: undefined,
      observe: (event) => server.log.push(event),
      startWorker: (name, permissions) => {
        const worker = startReceiver(name, permissions);
        worker.addEventListener("message", (event: MessageEvent<Report>) => {
          if (server.losesAll || event.data.report === server.loses) event.stopImmediatePropagation();
        });
        server.workers.push(worker);
        return worker;
      },
      machine: { addresses: () => server.addresses, rescanMs: 20 },
      bootedMs: 0,
      ffi: Deno.env.get("NETDUMP_NATIVE") === "0" ? [] : LIBC_PATHS,
    });
    return server;
  }

  /** What an uncaught exception in a worker does. */
  crash(worker: number): void {
    this.workers[worker]!.dispatchEvent(new ErrorEvent("error", { message: "boom\x1b[2J" }));
  }

  events<Name extends EventName>(name: Name): EventOf<Name>[] {
    return this.log.filter((event): event is EventOf<Name> => event.event === name);
  }

  /** Waits for an event. */
  async event<Name extends EventName>(event: Name): Promise<EventOf<Name>> {
    for (const lateMs = Date.now() + PATIENCE_MS; this.events(event).length === 0 && Date.now() < lateMs;) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.events(event)[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor.stop();
    this.temp[Symbol.dispose]();
  }
}
