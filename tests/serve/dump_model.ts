/**
 * One dump of a kernel to a server over a network, all simulated, all from one seed.
 *
 * @module
 */
import { encodeKernelDumpHeader } from "../../lib/kerneldump/files/header.ts";
import { ACK_SIZE, type Message, MessageType } from "../../lib/protocol/message.ts";
import { seededRandom } from "../helpers.ts";
import { JOURNAL_HEADER } from "../kerneldump/journal_header.ts";
import {
  batchSizes,
  dumpBatches,
  KERNEL_DEFAULTS,
  KernelClient,
  type KernelKind,
  type KernelSettings,
  payloadSizeOf,
} from "./kernel_client_model.ts";
import { type Faults, SimulatedLink } from "./simulated_network.ts";
import { NaiveServer } from "./naive_server.ts";
import { ServerModel, type ServerModelSettings, type ServerOfOne } from "./server_model.ts";
import { SimulatedTime } from "./simulated_time.ts";

/** What a dump is like. */
export interface DumpModel {
  readonly kind: KernelKind;
  readonly mtu: number;
  /** Length of the dump; a multiple of 4096. */
  readonly dumpBytes: number;
  /** Sizes of its batches, in place of those of its kind. */
  readonly sizes?: readonly number[];
  readonly kernel?: Partial<KernelSettings>;
  /** Ours, as set; or one that acks at once, as netdumpd does. */
  readonly server?: ServerModelSettings | "naive";
  /** What happens to packets and to acks. */
  readonly faults?: Faults;
  readonly ackFaults?: Faults;
  /** Time between two packets on the line, in ms. */
  readonly spacingMs?: number;
  /** Overrules the faults: whether packet `index` of a batch is lost when sent for the `pass`-th time. */
  readonly isLost?: (batch: number, pass: number, index: number) => boolean | undefined;
}

/** What came of a dump. */
export interface DumpOutcome {
  readonly client: KernelClient;
  readonly server: ServerOfOne;
  /** The client said FINISHED and was told that it is. */
  readonly finished: boolean;
  /** The server called the dump complete. */
  readonly complete: boolean;
  /** The files have what the client sent. */
  readonly identical: boolean;
  /** Packets and acks that the network lost. */
  readonly lost: number;
  readonly durationMs: number;
  /** Sizes of the data batches, and the payload of a full packet. */
  readonly sizes: readonly number[];
  readonly payloadSize: number;
  /** Bursts after which an ack was held though its whole batch was in and showed its end. */
  readonly heldWithoutCause: number;
}

const MOST_BYTES = 4 * 1024 * 1024;
/** Bytes without a pattern that dumps are taken from. */
const NOISE = (() => {
  const random = seededRandom(0x5eed);
  return Uint8Array.from({ length: 2 * MOST_BYTES }, () => random() * 256);
})();
const WHOLE_BATCH = 65536;

/** Plays a dump. */
export async function playDump(model: DumpModel, seed: number): Promise<DumpOutcome> {
  const random = seededRandom(seed);
  const time = new SimulatedTime();
  const { kind, mtu, dumpBytes, isLost } = model;
  const from = Math.floor(random() * MOST_BYTES);
  const bytes = NOISE.subarray(from, from + dumpBytes);
  const key = NOISE.subarray(from, from + 4096);
  const compressed = kind.endsWith("gzip") || kind.endsWith("zstd");
  // What is compressed is sent in whole blocks, and its file ends where the header says.
  const dumpLength = compressed ? dumpBytes - Math.floor(random() * 4096) : dumpBytes;
  const header = encodeKernelDumpHeader({
    ...JOURNAL_HEADER,
    dumpLength,
    blockSize: 4096,
    dumpKeySize: kind.endsWith("encrypted") ? key.byteLength : 0,
    compression: kind.endsWith("gzip") ? "gzip" : kind.endsWith("zstd") ? "zstd" : "none",
  });
  const settings = { ...KERNEL_DEFAULTS, payloadSize: payloadSizeOf(kind, mtu), ...model.kernel };
  const sizes = model.sizes ?? batchSizes(kind, dumpBytes, random);
  const batches = dumpBatches(kind, sizes, bytes, header, key);
  const sent = new Set<number>();
  const packets: SimulatedLink<Message> = new SimulatedLink<Message>(
    time,
    random,
    model.faults ?? {},
    (message) => server.receive(message),
    model.spacingMs,
  );
  const acks: SimulatedLink<number> = new SimulatedLink<number>(
    time,
    random,
    model.ackFaults ?? {},
    (seqno) => client.receive(seqno),
    0.012 * (ACK_SIZE + 60) / mtu,
  );
  const client: KernelClient = new KernelClient(
    time,
    (message, index) => {
      sent.add(message.seqno);
      packets.send(message, isLost?.(client.batch, client.pass, index));
    },
    batches,
    settings,
  );
  const sendAck = (seqno: number) => {
    if (!sent.has(seqno)) throw new Error(`Acked ${seqno}, which was never sent`);
    acks.send(seqno);
  };
  const server = model.server === "naive"
    ? new NaiveServer(time, random, sendAck)
    : new ServerModel(time, random, sendAck, model.server);
  let heldWithoutCause = 0;
  server.onQuiet = () => {
    if (server.unacked > 0 && isWholeBatchIn(client, server, batches, settings.payloadSize)) {
      heldWithoutCause++;
    }
  };
  client.start();
  await time.run(3_600_000, () => client.result !== undefined);
  server.stop();
  const finished = client.result === "finished";
  return {
    client,
    server,
    finished,
    complete: server.complete,
    identical: equal(server.core.subarray(0, dumpBytes), bytes.subarray(0, server.core.byteLength)) &&
      server.core.byteLength >= dumpLength && equal(server.header, header) &&
      (!kind.endsWith("encrypted") || equal(server.key, key)),
    lost: packets.lost + acks.lost,
    durationMs: time.nowMs,
    sizes,
    payloadSize: settings.payloadSize,
    heldWithoutCause,
  };
}

/** Whether the data batch under way is in the file to its last packet, and that shows that it is the last. */
function isWholeBatchIn(
  client: KernelClient,
  server: ServerOfOne,
  batches: ReturnType<typeof dumpBatches>,
  payloadSize: number,
): boolean {
  const batch = batches[client.batch];
  if (batch?.type !== MessageType.VMCORE) return false;
  const size = batch.bytes.byteLength;
  const showsEnd = size % payloadSize !== 0 || size === WHOLE_BATCH;
  return showsEnd && size > payloadSize &&
    equal(server.core.subarray(batch.offset, batch.offset + size), batch.bytes);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let i = 0; i < a.byteLength; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
