/**
 * What tells operators how a server is: readiness, metrics, the status page. Wires observers to a server and to a look at it.
 *
 * @module
 */
import { join } from "@std/path";
import { environmentVariable } from "../os/environment.ts";
import { realFileSystem } from "../os/file_system.ts";
import { LineWriter } from "../os/line_writer.ts";
import { NotifySocket } from "../os/notify_socket.ts";
import { describeError } from "../os/system_error.ts";
import type { Observe, ServerEvent } from "../serve/events.ts";
import { Board } from "../serve/observers/board.ts";
import { HttpListener } from "../serve/observers/http/listener.ts";
import { Site } from "../serve/observers/http/site.ts";
import { Metrics } from "../serve/observers/metrics.ts";
import { ServiceNotifier } from "../serve/observers/service_manager.ts";
import type { ServerView, Weakness } from "../serve/observers/server_view.ts";
import { checkReadiness, checkRunning, type Finding } from "../serve/readiness.ts";
import { ReadinessWatch } from "../serve/readiness_watch.ts";
import { leastRoom } from "../serve/store/space.ts";
import type { ServerSettings, Supervisor } from "../serve/supervisor.ts";
import { quote } from "../text/escape.ts";
import { VERSION } from "../version.ts";
import { Trace } from "../serve/observers/trace.ts";
import { Webhook, WEBHOOK_PATIENCE } from "../serve/observers/webhook.ts";
import { WorkerDumpReader } from "./dump_reader.ts";
import { OperationError } from "./exit_status.ts";
import type { Values } from "./option.ts";
import type { serveOptions } from "./options.ts";

/** A receiver that does not answer within this time is told of. */
const ANSWER_PATIENCE_MS = 5000;

/** Behind these the dump directory has other dumps than before. */
const CHANGES: readonly string[] = [
  "completed",
  "incomplete",
  "removed",
  "ship-removed",
] satisfies ServerEvent["event"][];
/** The secret for the webhook, as the header Authorization takes it. */
const AUTHORIZATION = "NETDUMP_WEBHOOK_AUTHORIZATION";
/** A server that stops waits so long for posts. */
const WEBHOOK_STOP_MS = 5000;
/** A trace is flushed within this time, or not at all. */
const TRACE_PATIENCE_MS = 1000;
/** What a timer can count to. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

type Options = Pick<Values<typeof serveOptions>, "http" | "http-public" | "http-host" | "webhook" | "trace">;

/** A server that runs. */
export interface RunningServer {
  readonly supervisor: Supervisor;
  /** As the operator has set them, and as the descriptors limit them. */
  readonly settings: ServerSettings;
  readonly limited: ServerSettings;
  /** Sessions for which there are descriptors, and how many of these there are; `null` if the system does not tell. */
  readonly room: number | null;
  readonly descriptors: number | null;
  readonly observe: Observe;
  /** What keeps dumps from being shipped, if anything does. */
  readonly shipWeakness: () => Weakness | null;
}

/** Everything beside the receiving that an operator looks at. */
export class Operations {
  readonly #options: Options;
  readonly #startedMs = Date.now();
  readonly #board = new Board(Date.now);
  readonly #metrics = new Metrics({
    version: VERSION,
    deno: Deno.version.deno,
    startedS: this.#startedMs / 1000,
  });
  readonly #socket: Deno.Listener | undefined;
  #listener: HttpListener | undefined;
  #reader: WorkerDumpReader | undefined;
  /** Dumps that ended or were removed. */
  #changes = 0;
  #watch: ReadinessWatch | undefined;
  readonly #webhook: Webhook | undefined;
  readonly #traceFile: Deno.FsFile | undefined;
  readonly #traceLines: LineWriter | undefined;
  readonly #trace: Trace | undefined;
  #notifier: ServiceNotifier | undefined;
  #notifySocket: NotifySocket | undefined;
  #stopped: Promise<void> | undefined;

  /** @throws {OperationError} if it cannot listen */
  constructor(options: Options, observe: Observe) {
    this.#options = options;
    if (options.webhook !== undefined) {
      const { webhook, authorization } = {
        webhook: options.webhook,
        authorization: environmentVariable(AUTHORIZATION),
      };
      const post = (body: string, signal: AbortSignal) => postTo(webhook, authorization, body, signal);
      this.#webhook = new Webhook({ post, now: Date.now, ...WEBHOOK_PATIENCE }, observe);
    }
    this.#socket = listen(options);
    if (options.trace === undefined) return;
    const traceFile = this.#traceFile = openTrace(options.trace);
    const lines = this.#traceLines = new LineWriter((bytes) => traceFile.write(bytes));
    this.#trace = new Trace((line) => lines.put(line));
  }

  /** Takes an event. */
  observe(event: ServerEvent): void {
    this.#metrics.observe(event);
    this.#board.observe(event);
    this.#notifier?.observe(event);
    this.#webhook?.observe(event);
    this.#trace?.observe(event);
    if (CHANGES.includes(event.event)) this.#changes++;
    // Whoever asks a server that stops gets no answer, which is one.
    if (event.event === "stopping") void this.#stopAnswering();
  }

  /** Looks whether the server is ready, and goes on to; answers requests from now on. */
  async start(server: RunningServer): Promise<"started"> {
    this.#notifyManager(server);
    const watch = this.#watch = new ReadinessWatch(() => lookAt(server), server.observe);
    await watch.start();
    if (this.#socket !== undefined && this.#stopped === undefined) {
      this.#listener = this.#serve(this.#socket, server, watch);
    }
    return "started";
  }

  #stopAnswering(): Promise<void> {
    this.#stopped ??= this.#closeListener();
    return this.#stopped;
  }

  /** Ends all of it. */
  async stop(): Promise<void> {
    await this.#stopAnswering();
    await this.#webhook?.settled(WEBHOOK_STOP_MS);
    this.#notifier?.close();
    this.#notifySocket?.close();
    await this.#traceLines?.flushed(TRACE_PATIENCE_MS);
    this.#traceFile?.close();
  }

  async #closeListener(): Promise<void> {
    this.#watch?.stop();
    if (this.#listener === undefined) this.#socket?.close();
    this.#reader?.close();
    await this.#listener?.close();
  }

  /** Tells a service manager, if there is one; nothing else reads its variables. */
  #notifyManager({ supervisor, settings, observe }: RunningServer): void {
    const address = environmentVariable("NOTIFY_SOCKET");
    if (address === undefined || address === "") return;
    const unreachable = (error: unknown) =>
      observe({ event: "manager-unreachable", address, reason: describeError(error) });
    try {
      const socket = this.#notifySocket = NotifySocket.open(address, join(settings.root, ".netdump"));
      let isTold = false;
      const send = (variables: Readonly<Record<string, string>>) =>
        socket.send(variables).catch((error) => {
          if (!isTold) unreachable(error);
          isTold = true;
        });
      const watchdogMs = watchdog();
      const isAlive = async () =>
        (await supervisor.silentReceivers(Math.min(watchdogMs ?? 0, ANSWER_PATIENCE_MS))).length === 0;
      this.#notifier = new ServiceNotifier({ send, watchdogMs }, this.#board, isAlive);
    } catch (error) {
      unreachable(error);
    }
  }

  #serve(socket: Deno.Listener, server: RunningServer, watch: ReadinessWatch): HttpListener {
    const board = this.#board;
    const reader = this.#reader = new WorkerDumpReader(server.settings.root);
    const site = new Site({
      weaknesses: async () => {
        const shipping = server.shipWeakness();
        return [...await watch.look(), ...(shipping === null ? [] : [shipping])];
      },
      status: (weaknesses) => ({
        version: VERSION,
        startedMs: this.#startedMs,
        nowMs: Date.now(),
        view: viewOf(server),
        weaknesses,
        running: board.running,
        ended: board.ended,
        refusals: board.refusals,
      }),
      metrics: (weaknesses) => this.#metrics.expose({ view: viewOf(server), weaknesses }),
      reader,
      changes: () => this.#changes,
      names: this.#options["http-host"],
      now: () => performance.now(),
    });
    return new HttpListener(socket, (request) => site.answer(request));
  }
}

/** How often the service manager expects a sign of life, if it does of this process. */
function watchdog(): number | null {
  const pid = environmentVariable("WATCHDOG_PID");
  const usec = environmentVariable("WATCHDOG_USEC") ?? "";
  if (!/^\d{1,15}$/.test(usec) || Number(usec) === 0) return null;
  if (pid !== undefined && pid !== `${Deno.pid}`) return null;
  return Math.min(Number(usec) / 1000, LONGEST_TIMER_MS);
}

function openTrace(path: string): Deno.FsFile {
  try {
    // A pipe would keep the server waiting for its reader.
    if (realFileSystem.entry(path)?.kind === "other") throw new TypeError("it is not a regular file");
    return Deno.openSync(path, { create: true, append: true, mode: 0o600 });
  } catch (error) {
    throw new OperationError(`Cannot write the trace to ${quote(path)}: ${describeError(error)}`);
  }
}

async function postTo(
  url: URL,
  authorization: string | undefined,
  body: string,
  signal: AbortSignal,
): Promise<{ status: number }> {
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    "User-Agent": `netdump/${VERSION}`,
    ...(authorization === undefined ? {} : { Authorization: authorization }),
  };
  try {
    const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual" });
    await response.body?.cancel();
    return response;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // Deno's words have the URL in them, which may have a secret in its query.
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(words.replaceAll(url.href, url.origin), { cause: error });
  }
}

function listen({ http, "http-public": isPublic }: Options): Deno.Listener | undefined {
  if (http === undefined) return undefined;
  const { address, port } = http;
  if (!address.startsWith("127.") && !isPublic) {
    throw new OperationError(
      `Cannot serve the status page on ${address}:${port}: others reach it, who would see host names and panics; ` +
        "--http-public allows it, 127.0.0.1 keeps it to this machine",
    );
  }
  try {
    return Deno.listen({ hostname: address, port });
  } catch (error) {
    throw new OperationError(`Cannot serve the status page on ${address}:${port}: ${describeError(error)}`);
  }
}

/** All that readiness is about, at this moment. */
async function lookAt({ supervisor, settings, limited, room }: RunningServer): Promise<Finding[]> {
  const { receivers } = supervisor;
  const silent = await supervisor.silentReceivers(ANSWER_PATIENCE_MS);
  return [
    ...checkReadiness(realFileSystem, { ...settings, room }),
    ...checkRunning({
      addresses: supervisor.addresses,
      busy: supervisor.stages.data,
      mostSessions: limited.mostSessions,
      silent: silent.length,
      receivers,
    }),
  ];
}

function viewOf({ supervisor, limited, descriptors }: RunningServer): ServerView {
  const { root, defaultPath, minFree, heraldPort, mostSessions } = limited;
  const room = leastRoom(realFileSystem, [root, join(root, defaultPath)], minFree);
  return {
    sessions: supervisor.stages,
    mostSessions,
    receivers: supervisor.receivers,
    addresses: supervisor.addresses,
    port: heraldPort,
    directory: root,
    room: room === undefined
      ? null
      : { freeBytes: room.freeBytes, keptBytes: room.keptBytes, totalBytes: room.totalBytes },
    descriptors,
  };
}
