/**
 * Sends one dump from beginning to end, and says how it went.
 *
 * @module
 */
import {
  HEADER_SIZE,
  HERALD_PORT,
  IP_UDP_HEADER_SIZE,
  MAX_BATCH_SIZE,
  MAX_PAYLOAD_SIZE,
} from "../protocol/message.ts";
import { type DumpChoice, loadDump, type LoadedDump } from "./load_dump.ts";
import { openClientWay } from "../udp/open.ts";
import { addressTowards, ANY_ADDRESS, openSocket, resolveServer } from "./endpoints.ts";
import { SendError } from "./failure.ts";
import { ETHERNET_MTU, mtuTowards } from "../os/interface_mtu.ts";
import { KernelSender, POLL_INTERVAL_MS } from "./sender/kernel_sender.ts";
import { kernelWrites } from "./sender/kernel_writes.ts";
import { describeNoAnswer } from "./no_answer.ts";
import {
  type DumpShape,
  kernelPayloadSize,
  kernelPlan,
  type KernelVersion,
  messageCount,
  windowPlan,
} from "./sender/plan.ts";
import { RateLimit } from "./sender/rate.ts";
import type { Sender } from "./sender/sender.ts";
import { Transmitter } from "./transmit.ts";
import { AdaptiveWindow, FixedWindow } from "./sender/window.ts";
import { WindowSender } from "./sender/window_sender.ts";

/** What is to be sent where and how. Sizes in bytes; `undefined` leaves the choice to the program. */
export interface SendJob {
  readonly dump: DumpChoice;
  readonly server: { readonly host: string; readonly port: number | undefined };
  readonly client: { readonly address: string | undefined; readonly port: number };
  readonly path: string | undefined;
  readonly mtu: number | undefined;
  /** Messages in flight, always; adaptive if `undefined`. */
  readonly window: number | undefined;
  readonly retries: number;
  readonly timeoutMs: number;
  readonly kernel: KernelVersion | undefined;
  readonly bytesPerSecond: number | undefined;
  /** Whether the system's library may move datagrams; a kernel that is imitated sends one at a time. */
  readonly native: boolean;
}

/** How it went: the value of `--json`, whose keys the README documents. */
export interface SendResult {
  readonly file: string;
  readonly finished: boolean;
  readonly error: string | null;
  /** Address and port that the HERALD went to. */
  readonly server: string;
  /** Address and port that answered, and got everything else. */
  readonly answeredBy: string | null;
  readonly client: string;
  readonly path: string | null;
  /** `window`, or the kernel imitated: `freebsd-14`. */
  readonly mode: string;
  readonly fileSize: number;
  readonly dumpLength: number;
  /** File that the kernel dump header is from; `null` if it was built without one. */
  readonly headerFrom: string | null;
  readonly keySent: boolean;
  readonly warnings: readonly string[];
  readonly payloadSize: number;
  readonly bytesAcknowledged: number;
  readonly messages: number;
  readonly resends: number;
  readonly timeouts: number;
  readonly neverAcknowledged: number;
  readonly durationMs: number;
  /** Acknowledged bytes of the dump by the whole duration. */
  readonly bytesPerSecond: number;
  /** Smoothed round-trip time, if one was measured. */
  readonly roundTripMs: number | null;
  /** Messages in flight at the end; `null` if a kernel is imitated. */
  readonly windowSize: number | null;
}

/** What can be watched while a dump is sent. */
export interface Watch {
  readonly dataSize: number;
  /** Whether the server has answered. */
  readonly isAnswered: () => boolean;
  readonly sender: Sender;
  readonly warnings: readonly string[];
}

/**
 * Sends a dump.
 *
 * @param onStart called once, before the first message leaves
 * @returns the result, finished or not
 * @throws {SendError} if it could not even begin
 */
export async function sendDump(
  job: SendJob,
  signal: AbortSignal,
  onStart: (watch: Watch) => void,
): Promise<SendResult> {
  // Before a byte of the dump is read: the permission for it is given up with that.
  const way = await openClientWay(job.native && job.kernel === undefined);
  const dump = await loadDump(job.dump);
  try {
    const server = { address: await resolveServer(job.server.host), port: job.server.port ?? HERALD_PORT };
    const route = way.route(job.client.address ?? ANY_ADDRESS, server.address);
    const client = {
      address: job.client.address ?? addressTowards(server.address, route?.local),
      port: job.client.port,
    };
    const herald = job.path === undefined ? new Uint8Array() : new TextEncoder().encode(`${job.path}\0`);
    const payloads = { herald, header: dump.header.bytes, key: dump.key };
    const socket = openSocket(client.address, client.port);
    // A kernel never dumps over loopback: an imitated one is given an Ethernet.
    const mtu = job.mtu ??
      (job.kernel === undefined ? mtuTowards(server.address, route?.mtu) : ETHERNET_MTU);
    const sender = makeSender(job, dump, herald.byteLength, payloadSize(job, mtu));
    const transmitter = new Transmitter({
      sender,
      openSocket: (onError) => way.open(socket, onError),
      server,
      dump: dump.open,
      payloads,
      rate: makeRateLimit(job, sender.payloadSize),
    });
    onStart({
      ...{ dataSize: dump.open.dataSize, sender, warnings: dump.header.warnings },
      isAnswered: () => transmitter.serverPort !== undefined,
    });
    const startedAt = performance.now();
    const failure = await transmitter.run(signal).then(() => undefined, (error: unknown) => error);
    if (failure !== undefined && !(failure instanceof SendError)) throw failure;
    const error = failure?.message ??
      (typeof sender.state === "string" ? null : describeNoAnswer(sender.state, {
        host: job.server.host,
        heralded: server,
        answeredPort: transmitter.serverPort,
        clientPort: client.port,
        datagramSize: sender.payloadSize + HEADER_SIZE + IP_UDP_HEADER_SIZE,
        dataSize: dump.open.dataSize,
      }));
    return summarize(job, dump, sender, {
      error,
      server: `${server.address}:${server.port}`,
      client: `${client.address}:${client.port}`,
      answeredBy: transmitter.serverPort === undefined ? null : `${server.address}:${transmitter.serverPort}`,
      durationMs: performance.now() - startedAt,
    });
  } finally {
    dump.open.file.close();
  }
}

/** Bytes of payload of a full message. */
function payloadSize(job: SendJob, mtu: number): number {
  const payloadSize = Math.min(mtu - IP_UDP_HEADER_SIZE - HEADER_SIZE, MAX_PAYLOAD_SIZE);
  return job.kernel === undefined ? payloadSize : kernelPayloadSize(job.kernel, payloadSize);
}

function makeSender(job: SendJob, dump: LoadedDump, pathSize: number, payloadSize: number): Sender {
  const shape: DumpShape = {
    pathSize,
    dataSize: dump.open.dataSize,
    headerSize: dump.header.bytes.byteLength,
    keySize: dump.key.byteLength,
  };
  if (job.kernel === undefined) {
    const window = job.window === undefined ? new AdaptiveWindow(payloadSize) : new FixedWindow(job.window);
    const { retries, timeoutMs } = job;
    return new WindowSender({ plan: windowPlan(shape), payloadSize, window, retries, timeoutMs });
  }
  const { compression } = dump.header.header;
  const writes = kernelWrites({
    dataSize: dump.open.dataSize,
    encrypted: dump.key.byteLength > 0,
    compressed: compression !== null && compression !== "none",
    beginning: dump.beginning,
  });
  return new KernelSender({
    plan: kernelPlan(job.kernel, shape, writes),
    payloadSize,
    retries: job.retries,
    polls: Math.max(1, Math.round(job.timeoutMs / POLL_INTERVAL_MS)),
  });
}

/** A whole batch may leave at once, as a kernel sends it; the rate holds from then on. */
function makeRateLimit(job: SendJob, payloadSize: number): RateLimit | undefined {
  if (job.bytesPerSecond === undefined) return undefined;
  const batch = (messageCount(MAX_BATCH_SIZE, payloadSize) + 1) * (payloadSize + HEADER_SIZE);
  return new RateLimit(job.bytesPerSecond, batch, performance.now());
}

type Outcome = Pick<SendResult, "error" | "server" | "client" | "answeredBy" | "durationMs">;

function summarize(job: SendJob, dump: LoadedDump, sender: Sender, outcome: Outcome): SendResult {
  const window = sender instanceof WindowSender ? sender : undefined;
  const { counters, acknowledgedBytes } = sender;
  return {
    file: job.dump.path,
    finished: sender.state === "finished",
    ...outcome,
    path: job.path ?? null,
    mode: job.kernel === undefined ? "window" : `freebsd-${job.kernel}`,
    fileSize: dump.open.info.size,
    dumpLength: dump.header.header.dumpLength,
    headerFrom: dump.headerFrom,
    keySent: dump.key.byteLength > 0,
    warnings: dump.header.warnings,
    payloadSize: sender.payloadSize,
    bytesAcknowledged: acknowledgedBytes,
    messages: counters.messages,
    resends: counters.resends,
    timeouts: counters.timeouts,
    neverAcknowledged: counters.neverAcknowledged,
    durationMs: Math.round(outcome.durationMs),
    bytesPerSecond: Math.round(acknowledgedBytes / Math.max(outcome.durationMs, 1) * 1000),
    roundTripMs: window?.roundTripMs ?? null,
    windowSize: window?.windowSize ?? null,
  };
}
