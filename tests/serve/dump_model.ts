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
import { type ServerSettings, SimulatedServer } from "./simulated_server.ts";
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
  readonly server?: ServerSettings;
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
  readonly server: SimulatedServer;
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
/** The core file of the dump at hand. */
const core = new Uint8Array(MOST_BYTES);
const WHOLE_BATCH = 65536;

/** Plays a dump. */
export function playDump(model: DumpModel, seed: number): DumpOutcome {
  const random = seededRandom(seed);
  const time = new SimulatedTime();
  const { kind, mtu, dumpBytes, isLost } = model;
  const from = Math.floor(random() * MOST_BYTES);
  const bytes = NOISE.subarray(from, from + dumpBytes);
  const key = NOISE.subarray(from, from + 4096);
  const compressed = kind.endsWith("gzip") || kind.endsWith("zstd");
  const header = encodeKernelDumpHeader({
    ...JOURNAL_HEADER,
    dumpLength: compressed ? dumpBytes - Math.floor(random() * 4096) : dumpBytes,
    blockSize: 4096,
    dumpKeySize: kind.endsWith("encrypted") ? key.byteLength : 0,
    compression: kind.endsWith("gzip") ? "gzip" : kind.endsWith("zstd") ? "zstd" : "none",
  });
  core.fill(0, 0, dumpBytes);
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
  const server: SimulatedServer = new SimulatedServer(time, random, core, (seqno) => {
    if (!sent.has(seqno)) throw new Error(`Acked ${seqno}, which was never sent`);
    acks.send(seqno);
  }, model.server ?? { acks: "held" });
  let heldWithoutCause = 0;
  if (model.server?.acks !== "at-once") {
    server.onQuiet = () => {
      if (server.unacked > 0 && isWholeBatchIn(client, server, batches, settings.payloadSize)) {
        heldWithoutCause++;
      }
    };
  }
  client.start();
  time.run(3_600_000, () => client.result !== undefined);
  const finished = client.result === "finished";
  return {
    client,
    server,
    finished,
    complete: server.verdict?.complete ?? false,
    identical: equal(core.subarray(0, dumpBytes), bytes) && equal(server.disk.file("header"), header) &&
      (!kind.endsWith("encrypted") || equal(server.disk.file("key"), key)),
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
  server: SimulatedServer,
  batches: ReturnType<typeof dumpBatches>,
  payloadSize: number,
): boolean {
  const batch = batches[client.batch];
  if (batch?.type !== MessageType.VMCORE) return false;
  const size = batch.bytes.byteLength;
  const showsEnd = size % payloadSize !== 0 || size === WHOLE_BATCH;
  return showsEnd && size > payloadSize &&
    server.session?.core.contains(batch.offset, batch.offset + size) === true;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let i = 0; i < a.byteLength; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
