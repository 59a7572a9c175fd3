/**
 * `netdump serve`: settings from options, start, log, signals, stop.
 *
 * @module
 */
import { resolve } from "@std/path";
import { realFileSystem } from "../os/file_system.ts";
import { describeError } from "../os/system_error.ts";
import { Hook } from "../serve/observers/hook.ts";
import { HostNames, systemLookup } from "../serve/hostname.ts";
import { localAddresses } from "../os/local_addresses.ts";
import { LockedError } from "../os/lock_file.ts";
import type { LogSink } from "../serve/log_entry.ts";
import { PidFile } from "../os/pid_file.ts";
import { startReceiver } from "../serve/receiver_pool.ts";
import { StateDirectory } from "../serve/store/state_directory.ts";
import { type ServerSettings, Supervisor } from "../serve/supervisor.ts";
import { escapeLine, quote } from "../text/escape.ts";
import { findPortOwner } from "../os/port_owner.ts";
import { formatSize } from "../text/units.ts";
import { ExitStatus, OperationError } from "./exit_status.ts";
import { Log } from "./log.ts";
import type { serveCommand, serveOptions, Values } from "./options.ts";
import type { Invocation } from "./parse.ts";

type Options = Values<typeof serveOptions>;

/** New local addresses are looked for this often. */
const RESCAN_MS = 30_000;

/** Runs `netdump serve` until a signal ends it. */
export async function runServe({ options }: Invocation<typeof serveCommand>): Promise<ExitStatus> {
  const settings = readSettings(options);
  const sink = openLog(options);
  const program = findProgram(options.exec);
  const pidFile = options.pidfile === undefined ? undefined : await openPidFile(options.pidfile);
  try {
    const state = await openState(settings.root, options.dir);
    if (program === undefined) await Deno.permissions.revoke({ name: "run" });
    const hook = program === undefined ? undefined : new Hook(program, settings.root, (result, dump) => {
      const what = result.result === "exited"
        ? `Process ${result.pid} exited with status ${result.status}`
        : result.result === "timed-out"
        ? `Process ${result.pid} was ended, it took too long`
        : `Cannot run ${quote(program)}: ${escapeLine(result.reason)}`;
      const bad = result.result !== "exited" || result.status !== 0;
      sink({
        level: bad ? "warning" : "info",
        event: "hook",
        text: what,
        fields: { id: dump.id, ...result },
      });
    });
    const names = options["no-dns"] ? undefined : new HostNames(systemLookup);
    const machine = { addresses: localAddresses, rescanMs: RESCAN_MS };
    const supervisor = start(settings, {
      state,
      names,
      hook,
      log: sink,
      startWorker: startReceiver,
      machine,
    });
    // Whoever waits for the last line of the announcement may send a signal as soon as it is there.
    const signalled = stopSignal();
    announce(sink, settings, supervisor.addresses, options.dir);
    return await untilStopped(supervisor, signalled, sink);
  } finally {
    pidFile?.remove();
  }
}

function readSettings(options: Options): ServerSettings {
  const root = openDirectory(options.dir);
  const minFree = options["min-free"];
  return {
    root,
    defaultPath: options.path,
    heraldPort: options.port,
    ackPort: options["ack-port"],
    bind: [...new Set(options.bind)],
    allow: options.allow,
    timeoutMs: options.timeout,
    lingerMs: options.linger,
    mostBytes: options["max-dump-size"] ?? null,
    minFreeBytes: typeof minFree === "number" ? minFree : totalBytes(root) * minFree.percent / 100,
    mostSessions: options["max-sessions"],
    mostSessionsPerClient: options["max-sessions-per-client"],
    keep: options.keep ?? null,
    workers: options.workers ?? navigator.hardwareConcurrency,
  };
}

/** The real path of the dump directory. */
function openDirectory(dir: string): string {
  try {
    const root = Deno.realPathSync(dir);
    if (!Deno.statSync(root).isDirectory) {
      throw new OperationError(`Dump directory ${quote(dir)} is not a directory`);
    }
    Deno.readDirSync(root)[Symbol.iterator]().next();
    return root;
  } catch (error) {
    if (error instanceof OperationError) throw error;
    throw new OperationError(`Cannot use dump directory ${quote(dir)}: ${describeError(error)}`);
  }
}

function totalBytes(root: string): number {
  try {
    return realFileSystem.space(root).totalBytes;
  } catch {
    return 0;
  }
}

async function openState(root: string, dir: string): Promise<StateDirectory> {
  try {
    return await StateDirectory.open(root);
  } catch (error) {
    if (error instanceof LockedError) {
      throw new OperationError(
        `netdump is already running: ${error.message || "another process"} serves ${quote(dir)}`,
      );
    }
    throw new OperationError(`Cannot write to dump directory ${quote(dir)}: ${describeError(error)}`);
  }
}

async function openPidFile(path: string): Promise<PidFile> {
  try {
    return await PidFile.open(path);
  } catch (error) {
    if (error instanceof LockedError) {
      throw new OperationError(
        `netdump is already running: ${error.message || "another process"} holds ${quote(path)}`,
      );
    }
    throw new OperationError(`Cannot write pid file ${quote(path)}: ${describeError(error)}`);
  }
}

/** The absolute path of the hook, which must be a file that can be executed. */
function findProgram(exec: string | undefined): string | undefined {
  if (exec === undefined) return undefined;
  const program = resolve(exec);
  try {
    const { isFile, mode } = Deno.statSync(program);
    if (!isFile) throw new OperationError(`Cannot run ${quote(exec)}: not a file`);
    if (mode !== null && (mode & 0o111) === 0) {
      throw new OperationError(`Cannot run ${quote(exec)}: not executable`);
    }
  } catch (error) {
    if (error instanceof OperationError) throw error;
    throw new OperationError(`Cannot run ${quote(exec)}: ${describeError(error)}`);
  }
  return program;
}

function openLog(options: Options): LogSink {
  const encoder = new TextEncoder();
  const log = new Log({
    format: options["log-format"],
    least: options.debug ? "debug" : options.quiet ? "warning" : "info",
    write: (line) => void Deno.stderr.writeSync(encoder.encode(line + "\n")),
    now: Date.now,
  });
  return (entry) => log.write(entry);
}

function start(settings: ServerSettings, parts: ConstructorParameters<typeof Supervisor>[1]): Supervisor {
  try {
    return new Supervisor(settings, parts);
  } catch (error) {
    const port = settings.heraldPort;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new OperationError(`UDP port ${port} is in use; ${findPortOwner(port)} shows by which process`);
    }
    if (error instanceof Deno.errors.AddrNotAvailable) {
      throw new OperationError(
        `Cannot listen on ${settings.bind.join(", ")}: not an address of this machine`,
      );
    }
    throw new OperationError(`Cannot start on UDP port ${port}: ${describeError(error)}`);
  }
}

/** Says where it listens and writes, and what a client needs (reference netdump-protocol.md 7.2). */
function announce(log: LogSink, settings: ServerSettings, addresses: string[], dir: string): void {
  const { heraldPort, root, minFreeBytes } = settings;
  log({
    level: "info",
    event: "listening",
    text: `Listening on ${addresses.map((address) => `${address}:${heraldPort}`).join(", ")}`,
    fields: { addresses, port: heraldPort },
  });
  log({
    level: "info",
    event: "directory",
    text: `Dumps go to ${escapeLine(root)}, at least ${formatSize(Math.round(minFreeBytes))} are kept free`,
    fields: { directory: root, given: dir, minFreeBytes },
  });
  const server = addresses.find((address) => !address.startsWith("127.")) ?? addresses[0] ?? "SERVER";
  const dumpon = `dumpon -v -s ${server} -c CLIENT_ADDRESS [-g GATEWAY] INTERFACE`;
  log({
    level: "info",
    event: "client-setup",
    text: `A FreeBSD client needs: ${dumpon} (on 13 and later with -i 0 to come before the disk)`,
    fields: { dumpon },
  });
  log({ level: "info", event: "ready", text: "Waiting for clients." });
}

/** Resolves when a signal asks the server to stop. */
function stopSignal(): Promise<undefined> {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
  const signalled = Promise.withResolvers<undefined>();
  for (const signal of signals) Deno.addSignalListener(signal, () => signalled.resolve(undefined));
  return signalled.promise;
}

async function untilStopped(
  supervisor: Supervisor,
  signalled: Promise<undefined>,
  log: LogSink,
): Promise<ExitStatus> {
  const failure = await Promise.race([signalled, supervisor.failed]);
  if (failure !== undefined) {
    log({ level: "error", event: "failed", text: `Receivers crash again and again: ${quote(failure)}` });
    return ExitStatus.FAILED;
  }
  log({ level: "info", event: "stopping", text: "Shutting down..." });
  await supervisor.stop();
  return ExitStatus.OK;
}
