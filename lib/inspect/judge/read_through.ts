/**
 * Reads a dump from front to back, which alone shows whether it can be read and decompressed to its end.
 *
 * @module
 */

import { type Problem, problem } from "../../kerneldump/problem.ts";
import { type CompressedLayer, openStream } from "../open/layers.ts";
import { describeError } from "../../os/system_error.ts";
import type { Source } from "../../bytes/source.ts";
import type { StreamEnd } from "../../bytes/stream_end.ts";

/** Told now and then how far a long operation is, in bytes. */
export type OnProgress = (done: number, total: number | null) => void;

/** What a compressed layer held. */
export interface StreamResult {
  /** Good bytes that came out. */
  readonly produced: number;
  readonly end: StreamEnd;
}

const PIECE_BYTES = 2 ** 20;

const BREATH_MS = 50;
let lastBreathMs = 0;

/** Lets timers and signals have their turn now and then: reading and decoding alone never wait for anything. */
export async function breathe(): Promise<void> {
  if (performance.now() - lastBreathMs < BREATH_MS) return;
  await new Promise((resolve) => setTimeout(resolve, 0));
  lastBreathMs = performance.now();
}

/**
 * Decompresses a layer to its end.
 *
 * @param limit give up once this many bytes came out
 * @returns `null` if it gave up
 */
export async function readStream(
  layer: CompressedLayer,
  limit: number,
  onProgress?: OnProgress,
): Promise<StreamResult | null> {
  const input = onProgress === undefined ? layer.input : watched(layer.input, onProgress);
  const stream = openStream({ ...layer, input }, true);
  let produced = 0;
  for (;;) {
    const next = await stream.next();
    if (next.done) return { produced: produced - (next.value.surplusBytes ?? 0), end: next.value };
    produced += next.value.byteLength;
    await breathe();
    if (produced > limit) {
      await stream.return({ reason: "end", consumed: null });
      return null;
    }
  }
}

/** Reads a source to its end; what the file system refuses to read is a problem. */
export async function readAll(source: Source, onProgress?: OnProgress): Promise<Problem[]> {
  let offset = 0;
  try {
    for (;;) {
      const piece = await source.read(offset, PIECE_BYTES);
      offset += piece.byteLength;
      onProgress?.(offset, source.size);
      await breathe();
      if (piece.byteLength < PIECE_BYTES) break;
    }
  } catch (error) {
    return [
      problem(
        "read-error",
        `The file cannot be read behind its first ${offset} bytes: ${describeError(error)}`,
      ),
    ];
  }
  if (source.size === null || offset >= source.size) return [];
  return [
    problem(
      "read-error",
      `The file became shorter while it was read: ${offset} bytes, ${source.size} before`,
    ),
  ];
}

function watched(source: Source, onProgress: OnProgress): Source {
  return {
    size: source.size,
    randomAccess: source.randomAccess,
    read: (offset, length) => {
      onProgress(offset, source.size);
      return source.read(offset, length);
    },
    close: () => {},
  };
}

/**
 * What the end of a compressed layer says about the dump.
 *
 * @param dumpLength bytes of the compressed dump by its header: what follows them is the padding of the last block, which
 * some kernels leave as it was
 */
export function judgeStream(
  layer: CompressedLayer,
  { produced, end }: StreamResult,
  dumpLength: number | null,
): Problem[] {
  const name = `The ${layer.compression} stream`;
  const size = layer.input.size;
  switch (end.reason) {
    case "truncated":
      return [
        problem("compressed-truncated", `${name} is cut: ${produced} bytes came out of it before it ends`),
      ];
    case "corrupt":
      return [
        problem(
          "compressed-damaged",
          `${name} is damaged behind the first ${produced} bytes that came out of it: ${
            end.detail ?? "it makes no sense"
          }`,
        ),
      ];
    case "checksum":
      return [
        problem(
          "compressed-checksum",
          `${name}'s checksum is wrong: what came out of it is not what went into it`,
        ),
      ];
    case "unsupported":
      return [
        problem(
          "compressed-unsupported",
          `${name} cannot be decompressed: ${end.detail ?? "unknown method"}`,
        ),
      ];
    case "end": {
      if (end.consumed === null || size === null) return [];
      const behind = size - end.consumed;
      if (behind <= MAX_PADDING && (end.consumed === dumpLength || end.followedByGarbage !== true)) return [];
      const what = `${behind} bytes follow the end of the ${layer.compression} stream`;
      return end.followedByGarbage === true
        ? [problem("trailing-garbage", `${what}, and they are not padding`)]
        : [problem("trailing-data", what)];
    }
  }
}

/** The kernel pads the last block; netdump's are the largest. */
const MAX_PADDING = 4095;
