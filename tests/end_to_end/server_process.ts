/**
 * `netdump serve` as a process of its own, with the permissions that its task in deno.json gives it.
 */
import { fromFileUrl, join } from "@std/path";
import denoJson from "../../deno.json" with { type: "json" };
import { freshAddress, freshPort } from "./addresses.ts";
import { PATIENCE_MS } from "../patience.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
/** `run` and its flags, as in the task. */
const RUN = denoJson.tasks.serve.split(" ").slice(1, -2);
const LAST_LINES_MS = 3000;
/** A time-out of the server's that tests wait for: long enough for a busy machine to go from one of their steps to the next. */
export const SHORT_TIMEOUT = "2s";

/** One line of the JSON log. */
export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly message: string;
  // deno-lint-ignore no-explicit-any
  readonly [fact: string]: any;
}

/** The facts of an event's dump beside its own. */
function flatten(line: LogLine): LogLine {
  return { ...line.dump, ...line };
}

/** How to start a server. */
export interface ServerOptions {
  /** Dump directory; a new one, removed at the end, if undefined. */
  readonly dir?: string;
  readonly address?: string;
  readonly port?: number;
  /** Further arguments; the log format is JSON unless one of them says otherwise. */
  readonly args?: readonly string[];
  /** Wraps the command, such as in a namespace: gets the command, gives what to run. */
  readonly wrap?: (command: readonly string[]) => readonly string[];
  /** For namespaces, in which addresses cannot collide: no `--bind`. */
  readonly bindAll?: boolean;
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** The command that starts the program with the given arguments. */
export function netdumpCommand(args: readonly string[]): string[] {
  return [Deno.execPath(), ...RUN, join(ROOT, "main.ts"), ...args];
}

/** A running server. */
export class ServerProcess {
  readonly dir: string;
  readonly address: string;
  readonly port: number;
  /** Everything it wrote to stderr, by lines. */
  readonly lines: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #stderr: ReadableStreamDefaultReader<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #ownsDir: boolean;
  #onLine: (() => void)[] = [];
  /** Resolves when the log is read again, and what makes it be. */
  #stalled: Promise<void> | undefined;
  #resume: () => void = () => {};
  #ended: Deno.CommandStatus | undefined;

  private constructor(
    process: Deno.ChildProcess,
    dir: string,
    address: string,
    port: number,
    ownsDir: boolean,
  ) {
    this.#process = process;
    this.dir = dir;
    this.address = address;
    this.port = port;
    this.#ownsDir = ownsDir;
    this.#stderr = process.stderr.getReader();
    this.#reading = this.#readLines();
    void process.status.then((status) => {
      this.#ended = status;
      this.#wake();
    });
  }

  /** Starts a server and waits until it takes HERALDs. */
  static async start(options: ServerOptions = {}): Promise<ServerProcess> {
    const server = ServerProcess.spawn(options);
    await server.until(
      () => server.lines.some((line) => line.includes("Waiting for clients.")),
      "the server's start",
    );
    return server;
  }

  /** Starts a server that may well refuse to start. */
  static spawn(options: ServerOptions = {}): ServerProcess {
    const { args = [], wrap = (command) => command } = options;
    const dir = options.dir ?? Deno.makeTempDirSync({ prefix: "netdump-test-" });
    const address = options.address ?? freshAddress();
    const port = options.port ?? freshPort();
    const [program, ...rest] = wrap(netdumpCommand([
      "serve",
      ...["--dir", dir, "--port", `${port}`],
      ...(options.bindAll ? [] : ["--bind", address]),
      ...(args.includes("--log-format") ? [] : ["--log-format", "json"]),
      // As on a machine of more cores.
      ...(args.includes("--workers") ? [] : ["--workers", "2"]),
      ...args,
    ]));
    const process = new Deno.Command(program!, {
      args: rest,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
    }).spawn();
    return new ServerProcess(process, dir, address, port, options.dir === undefined);
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** The lines of the JSON log so far, of one event or of all. */
  log(event?: string): LogLine[] {
    const lines = this.lines.filter((line) => line.startsWith("{")).map((line) =>
      flatten(JSON.parse(line) as LogLine)
    );
    return event === undefined ? lines : lines.filter((line) => line.event === event);
  }

  /** Waits for an event that a test needs; fails with the whole log if it does not come. */
  async event(event: string, matches: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    await this.until(() => this.log(event).some(matches), event);
    return this.log(event).find(matches)!;
  }

  /** Waits until a condition holds, on the log or on what the server writes. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const late = Date.now() + PATIENCE_MS;
    while (!condition()) {
      if (this.#ended !== undefined) {
        await this.#read;
        if (condition()) return;
        throw new Error(`The server ended, waiting for ${what}:\n${this.lines.join("\n")}`);
      }
      if (Date.now() > late) throw new Error(`Waited in vain for ${what}:\n${this.lines.join("\n")}`);
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#onLine.push(resolve);
        timer = setTimeout(resolve, 200);
      });
      clearTimeout(timer);
    }
  }

  /** Reads no more of its log, as a reader that hangs; returns what makes it go on. */
  stallLog(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stalled = promise;
    return this.#resume = resolve;
  }

  /** Closes its log, as a reader that ends does. */
  async closeLog(): Promise<void> {
    await this.#stderr.cancel();
    await this.#reading;
  }

  /** Ends it by a signal; resolves with its exit status, which is over 128 if the signal itself ended it. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.signal(signal);
    return await this.ended();
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    if (this.#ended === undefined) this.#process.kill(signal);
  }

  /** Resolves with its exit status. */
  async ended(): Promise<number> {
    const timer = setTimeout(() => this.signal("SIGKILL"), PATIENCE_MS);
    const { code } = await this.#process.status;
    clearTimeout(timer);
    await this.#read;
    return code;
  }

  /** Path of a file in the dump directory. */
  path(...names: string[]): string {
    return join(this.dir, ...names);
  }

  /** Names in the dump directory or one below it, in order, without the server's own state. */
  names(directory = "."): string[] {
    return Array.from(Deno.readDirSync(this.path(directory)), ({ name }) => name)
      .filter((name) => name !== ".netdump").sort();
  }

  /** Text of a file in the dump directory. */
  text(...names: string[]): string {
    return Deno.readTextFileSync(this.path(...names));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended === undefined) await this.stop("SIGKILL");
    this.#resume();
    await this.#stderr.cancel();
    await this.#reading;
    if (this.#ownsDir) await Deno.remove(this.dir, { recursive: true });
  }

  /** Resolves when all that an ended server wrote is read; a hook that it left running keeps stderr open. */
  get #read(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, LAST_LINES_MS));
    return Promise.race([this.#reading, late]).finally(() => clearTimeout(timer));
  }

  async #readLines(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for (let chunk = await this.#stderr.read(); !chunk.done; chunk = await this.#stderr.read()) {
      const lines = (rest + decoder.decode(chunk.value, { stream: true })).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
      this.#wake();
      await this.#stalled;
    }
    if (rest !== "") this.lines.push(rest);
  }

  #wake(): void {
    for (const resolve of this.#onLine.splice(0)) resolve();
  }
}
