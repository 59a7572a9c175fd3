/**
 * `netdump serve`: settings from options, start, log, signals, stop.
 *
 * @module
 */
import { resolve } from "@std/path";
import { descriptorLimit } from "../os/descriptors.ts";
import { environmentVariables } from "../os/environment.ts";
import { realFileSystem } from "../os/file_system.ts";
import { LineWriter } from "../os/line_writer.ts";
import { localAddresses } from "../os/local_addresses.ts";
import { LockedError } from "../os/lock_file.ts";
import { PidFile } from "../os/pid_file.ts";
import { findPortOwner } from "../os/port_owner.ts";
import { describeError } from "../os/system_error.ts";
import { LIBC_PATHS } from "../udp/native_abi.ts";
import type { Observe, ServerEvent } from "../serve/events.ts";
import { HostNames, systemLookup } from "../serve/hostname.ts";
import { Hook, PASSED_ON } from "../serve/observers/hook.ts";
import { Log } from "../serve/observers/log.ts";
import type { Ship } from "../serve/observers/ship.ts";
import { roomFor } from "../serve/readiness.ts";
import { startReceiver } from "../serve/receiver_pool.ts";
import { leastRoom } from "../serve/store/space.ts";
import { StateDirectory, StateDirectoryError } from "../serve/store/state_directory.ts";
import { type ServerParts, type ServerSettings, Supervisor } from "../serve/supervisor.ts";
import { quote } from "../text/escape.ts";
import { ExitStatus, OperationError, SignalStatus } from "./exit_status.ts";
import { Operations } from "./operations.ts";
import type { Values } from "./option.ts";
import type { serveCommand, serveOptions } from "./options.ts";
import type { Invocation } from "./parse.ts";
import { openShipping } from "./shipping.ts";

type Options = Values<typeof serveOptions>;

/** New local addresses are looked for this often. */
const RESCAN_MS = 30_000;
/** A server that stops waits this long for programs, and for its log to be read. */
const HOOK_PATIENCE_MS = 5000;
const LOG_PATIENCE_MS = 1000;

/** Runs `netdump serve` until a signal ends it. */
export async function runServe({ options }: Invocation<typeof serveCommand>): Promise<ExitStatus> {
  const settings = readSettings(options);
  const output = new LineWriter((bytes) => Deno.stderr.write(bytes));
  const log = openLog(options, output);
  const program = findProgram(options.exec);
  const observers: Observe[] = [(event) => log.observe(event)];
  const observe = (event: ServerEvent) => observers.forEach((observer) => observer(event));
  const operations = new Operations(options, observe);
  observers.push((event) => operations.observe(event));
  let shipping: Ship | undefined;
  const pidFile = options.pidfile === undefined ? undefined : await openPidFile(options.pidfile);
  try {
    const state = await openState(settings.root, options.dir);
    const descriptors = await descriptorLimit();
    if (program === undefined) await Deno.permissions.revoke({ name: "run" });
    const hook = program === undefined
      ? undefined
      : new Hook({ path: program, directory: settings.root, environment: ownEnvironment() }, observe);
    if (hook !== undefined) observers.push((event) => hook.observe(event));
    shipping = openShipping(options, settings.root, observe);
    if (shipping !== undefined) observers.push((event) => shipping?.observe(event));
    const room = descriptors === null ? null : roomFor(descriptors, {
      receivers: settings.workers,
      heraldSockets: Math.max(settings.bind.length, localAddresses().length),
      sideWorkers: [options.http, shipping].filter((one) => one !== undefined).length,
    });
    const limited = { ...settings, mostSessions: Math.min(settings.mostSessions, room ?? Infinity) };
    if (limited.mostSessions < 1) {
      throw new OperationError(
        `The process may open ${descriptors} files, too few for a single dump: raise the limit (ulimit -n)`,
      );
    }
    const supervisor = start(limited, {
      fs: realFileSystem,
      state,
      names: options["no-dns"] ? undefined : new HostNames(systemLookup),
      observe,
      startWorker: startReceiver,
      machine: { addresses: localAddresses, rescanMs: RESCAN_MS },
      bootedMs: Date.now() - Deno.osUptime() * 1000,
      ffi: options["no-native"] ? [] : permittedLibraries(),
    });
    // Whoever waits for the last line of the announcement may send a signal as soon as it is there.
    const signalled = stopSignal();
    announce(observe, limited, supervisor.addresses, descriptors);
    const shipWeakness = () => shipping?.weakness ?? null;
    const started = operations.start({
      ...{ supervisor, settings, limited, room, descriptors, observe, shipWeakness },
    });
    if (await Promise.race([started, signalled, supervisor.failed]) === "started") {
      observe({ event: "ready" });
    }
    return await untilStopped(supervisor, signalled, observe, hook);
  } finally {
    await shipping?.stop();
    await operations.stop();
    log.tellLeftOut();
    await output.flushed(LOG_PATIENCE_MS);
    pidFile?.remove();
  }
}

function readSettings(options: Options): ServerSettings {
  const root = openDirectory(options.dir);
  return {
    root,
    defaultPath: options.path,
    heraldPort: options.port,
    ackPort: options["ack-port"],
    // 0.0.0.0 stands for every local address: a socket bound to it could not tell which one a client called.
    bind: options.bind.includes("0.0.0.0") ? [] : [...new Set(options.bind)],
    allow: options.allow,
    timeoutMs: options.timeout,
    lingerMs: options.linger,
    mostBytes: options["max-dump-size"] ?? null,
    minFree: options["min-free"],
    mostSessions: options["max-sessions"],
    mostSessionsPerClient: options["max-sessions-per-client"],
    keep: options.keep ?? null,
    trace: options.trace !== undefined,
    workers: options.workers ?? receiversFor(navigator.hardwareConcurrency),
  };
}

/** More take memory (20 to 40 MiB each) and no more than a network brings: one takes 200 to 500 MB/s. */
const MOST_RECEIVERS = 4;

/** Half of the cores receive: the other half is the system's, which takes most of the time that a datagram costs. */
function receiversFor(cores: number): number {
  return Math.min(MOST_RECEIVERS, Math.max(1, Math.floor(cores / 2)));
}

/** Deno itself keeps these from everybody who may not do everything, and receivers may not. */
const KEPT_BY_DENO = /^\/(?:dev|proc|sys)(?:\/|$)/;

/** The real path of the dump directory. */
function openDirectory(dir: string): string {
  const keptByDeno = () =>
    new OperationError(
      `Cannot use dump directory ${
        quote(dir)
      }: Deno keeps /dev, /proc and /sys from the receivers; take another directory`,
    );
  if (KEPT_BY_DENO.test(resolve(dir))) throw keptByDeno();
  try {
    const root = Deno.realPathSync(dir);
    if (KEPT_BY_DENO.test(root)) throw keptByDeno();
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

async function openState(root: string, dir: string): Promise<StateDirectory> {
  try {
    return await StateDirectory.open(realFileSystem, root);
  } catch (error) {
    if (error instanceof LockedError) {
      throw new OperationError(
        `netdump is already running: ${error.message || "another process"} serves ${quote(dir)}`,
      );
    }
    if (error instanceof StateDirectoryError) throw new OperationError(`Cannot start: ${error.message}`);
    throw new OperationError(`Cannot write to dump directory ${quote(dir)}: ${describeError(error)}`);
  }
}

async function openPidFile(path: string): Promise<PidFile> {
  try {
    return await PidFile.open(realFileSystem, path);
  } catch (error) {
    if (error instanceof LockedError) {
      throw new OperationError(
        `netdump is already running: ${error.message || "another process"} holds ${quote(path)}`,
      );
    }
    throw new OperationError(`Cannot write pid file ${quote(path)}: ${describeError(error)}`);
  }
}

/** The hook, which must be a file that can be executed. */
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

/** What programs get of this process's environment. */
function ownEnvironment(): Record<string, string> {
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    ...environmentVariables(PASSED_ON),
  };
}

/** Those of the libraries that move datagrams which this process may open. */
function permittedLibraries(): string[] {
  return LIBC_PATHS.filter((path) => Deno.permissions.querySync({ name: "ffi", path }).state === "granted");
}

function openLog(options: Options, output: LineWriter): Log {
  return new Log({
    format: options["log-format"],
    least: options.debug ? "debug" : options.quiet ? "warning" : "info",
    write: (line) => output.put(line),
    takeDropped: () => output.takeDropped(),
    now: Date.now,
  });
}

function start(settings: ServerSettings, parts: ServerParts): Supervisor {
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
function announce(
  observe: Observe,
  settings: ServerSettings,
  addresses: string[],
  descriptors: number | null,
): void {
  const { heraldPort: port, root, minFree, mostSessions } = settings;
  observe({ event: "listening", addresses, port });
  const room = leastRoom(realFileSystem, [root], minFree);
  observe({
    event: "directory",
    directory: root,
    freeBytes: room?.freeBytes ?? null,
    minFreeBytes: room?.keptBytes ?? (typeof minFree === "number" ? minFree : null),
  });
  observe({ event: "capacity", dumps: mostSessions, descriptors });
  const server = addresses.find((address) => !address.startsWith("127.")) ?? addresses[0] ?? "SERVER";
  observe({
    event: "client-setup",
    dumpon: `dumpon -v -s ${server} -c CLIENT_ADDRESS [-g GATEWAY] INTERFACE`,
  });
}

/** Resolves when a signal asks the server to stop; a second one ends it at once. */
function stopSignal(): Promise<undefined> {
  const signals: (keyof typeof SignalStatus)[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  const signalled = Promise.withResolvers<undefined>();
  let isStopping = false;
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => {
      if (isStopping) Deno.exit(SignalStatus[signal]);
      isStopping = true;
      signalled.resolve(undefined);
    });
  }
  return signalled.promise;
}

async function untilStopped(
  supervisor: Supervisor,
  signalled: Promise<undefined>,
  observe: Observe,
  hook: Hook | undefined,
): Promise<ExitStatus> {
  const failure = await Promise.race([signalled, supervisor.failed]);
  if (failure !== undefined) {
    observe({ event: "failed", reason: failure });
    return ExitStatus.FAILED;
  }
  observe({ event: "stopping" });
  const left = await supervisor.stop();
  if (left.length > 0) observe({ event: "stopped-late", left });
  const programs = await hook?.settled(HOOK_PATIENCE_MS);
  if (programs !== undefined && programs.running + programs.waiting > 0) {
    observe({ event: "hooks-left", ...programs });
  }
  return ExitStatus.OK;
}
