/**
 * The order in which a dump is sent, as batches: stretches of one message type that must be acknowledged whole
 * before the next begins (reference netdump-protocol.md, sections 3.1 and 4).
 *
 * @module
 */
import { FREEBSD12_MAX_PAYLOAD_SIZE, MAX_BATCH_SIZE, MessageType } from "../../protocol/message.ts";

/** A stretch of bytes of one message type. An empty one is a single message without payload. */
export interface Batch {
  readonly type: MessageType;
  /** Offset of its first byte in the target file (VMCORE, EKCD_KEY), else 0. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** How much there is to send of each type. */
export interface DumpShape {
  /** Bytes of the HERALD's path with its NUL; 0 for none. */
  readonly pathSize: number;
  /** Bytes of dump data on the wire. */
  readonly dataSize: number;
  readonly headerSize: number;
  /** Bytes of the key blob; 0 if the dump is not encrypted. */
  readonly keySize: number;
}

/** Number of messages that a batch takes. */
export function messageCount(sizeBytes: number, payloadSize: number): number {
  return Math.max(1, Math.ceil(sizeBytes / payloadSize));
}

/**
 * The plan of a sender with a window: the data is one batch. The key goes first, as in newer kernels, so that even a
 * partial dump can be decrypted; the header follows the data, since netdumpd cuts the file when it comes.
 */
export function* windowPlan(shape: DumpShape): Generator<Batch> {
  yield { type: MessageType.HERALD, offset: 0, sizeBytes: shape.pathSize };
  if (shape.keySize > 0) yield { type: MessageType.EKCD_KEY, offset: 0, sizeBytes: shape.keySize };
  yield { type: MessageType.VMCORE, offset: 0, sizeBytes: shape.dataSize };
  yield { type: MessageType.KDH, offset: 0, sizeBytes: shape.headerSize };
  yield { type: MessageType.FINISHED, offset: 0, sizeBytes: 0 };
}

/** FreeBSD kernels that can be imitated. */
export type KernelVersion = "12" | "13" | "14" | "main";

/** A run of writes of equal size (the last one may be shorter) that a kernel's dump code makes. */
export interface WriteRun {
  readonly sizeBytes: number;
  /** Bytes of one write. */
  readonly writeSize: number;
}

/** Largest payload of a kernel's message (section 1.5). */
export function kernelPayloadSize(version: KernelVersion, mtuPayloadSize: number): number {
  return version === "12" ? Math.min(mtuPayloadSize, FREEBSD12_MAX_PAYLOAD_SIZE) : mtuPayloadSize;
}

/** Tells whether a kernel sends the key before the data (section 4; 14 is taken to be like main). */
function sendsKeyFirst(version: KernelVersion): boolean {
  return version === "14" || version === "main";
}

/**
 * The plan of a kernel: one batch for each write up to 12; later kernels gather contiguous writes in a buffer of
 * 65,536 bytes and send it when the next write would overflow it.
 *
 * @param runs the kernel's writes of the data, in order; together `shape.dataSize` bytes
 */
export function* kernelPlan(
  version: KernelVersion,
  shape: DumpShape,
  runs: Iterable<WriteRun>,
): Generator<Batch> {
  const key: Batch = { type: MessageType.EKCD_KEY, offset: 0, sizeBytes: shape.keySize };
  const hasKey = shape.keySize > 0;
  yield { type: MessageType.HERALD, offset: 0, sizeBytes: shape.pathSize };
  if (hasKey && sendsKeyFirst(version)) yield key;
  let offset = 0;
  for (const sizeBytes of version === "12" ? writeSizes(runs) : gather(writeSizes(runs))) {
    yield { type: MessageType.VMCORE, offset, sizeBytes };
    offset += sizeBytes;
  }
  yield { type: MessageType.KDH, offset: 0, sizeBytes: shape.headerSize };
  if (hasKey && !sendsKeyFirst(version)) yield key;
  yield { type: MessageType.FINISHED, offset: 0, sizeBytes: 0 };
}

function* writeSizes(runs: Iterable<WriteRun>): Generator<number> {
  for (const { sizeBytes, writeSize } of runs) {
    for (let at = 0; at < sizeBytes; at += writeSize) yield Math.min(writeSize, sizeBytes - at);
  }
}

function* gather(writes: Iterable<number>): Generator<number> {
  let gathered = 0;
  for (const sizeBytes of writes) {
    if (gathered + sizeBytes > MAX_BATCH_SIZE && gathered > 0) {
      yield gathered;
      gathered = 0;
    }
    gathered += sizeBytes;
  }
  if (gathered > 0) yield gathered;
}
