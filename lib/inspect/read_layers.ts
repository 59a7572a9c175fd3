/**
 * The layers around a dump, read through: how long it is without them, and what speaks against it.
 *
 * @module
 */
import { type Problem, problem } from "../kerneldump/problem.ts";
import type { ExamineOptions, Thoroughness } from "./examination.ts";
import type { HeaderFacts } from "./findings.ts";
import { headerVouches } from "./judge/judge.ts";
import { judgeStream, readStream, type StreamResult } from "./judge/read_through.ts";
import type { OpenedLayers } from "./open/layers.ts";

/** How much is decompressed to see whether a dump is whole: a small one is read to its end unasked. */
const DECOMPRESS_BYTES: Readonly<Record<Thoroughness, number>> = {
  glance: 2 ** 20,
  look: 16 * 2 ** 20,
  messages: 2 ** 20,
  verify: Infinity,
};

/**
 * Reads compressed layers through: all of them if asked to, else as far as is quickly done.
 *
 * @returns what came of each; `null` for one that is long and was left
 */
export async function readLayers(
  opened: OpenedLayers,
  options: ExamineOptions,
): Promise<(StreamResult | null)[]> {
  const { thoroughness, onProgress } = options;
  const results: (StreamResult | null)[] = [];
  for (const layer of opened.compressed) {
    // How long it is, its table says; whether it is good, reading all of it.
    const isKnown = layer.seekable !== null && thoroughness !== "verify";
    results.push(isKnown ? null : await readStream(layer, DECOMPRESS_BYTES[thoroughness], onProgress));
  }
  return results;
}

/** Bytes of the dump below its layers; `null` if that was not found out. */
export function plainSize(opened: OpenedLayers, streams: readonly (StreamResult | null)[]): number | null {
  if (opened.decrypted === null) return null;
  const innermostLayer = opened.layers.at(-1);
  if (innermostLayer === undefined || innermostLayer === "encrypted") return opened.source.size;
  const innermost = streams.at(-1);
  if (innermost === null) return opened.compressed.at(-1)?.seekable?.size ?? null;
  return innermost?.end.reason === "end" ? innermost.produced : null;
}

/** What is wrong with compressed layers as far as they were read. */
export function judgeStreams(
  opened: OpenedLayers,
  streams: readonly (StreamResult | null)[],
  header: HeaderFacts | null,
): Problem[] {
  return streams.flatMap((result, i) =>
    result === null ? [] : judgeStream(opened.compressed[i]!, result, header?.dumpLength ?? null)
  );
}

/** What of the layers was not looked through, or is not what it promised. */
export function judgeLayers(
  header: HeaderFacts | null,
  opened: OpenedLayers,
  streams: readonly (StreamResult | null)[],
  thoroughness: Thoroughness,
): Problem[] {
  return [
    ...judgeUnread(header, opened, streams),
    ...judgeFrames(opened, streams),
    ...judgeClosed(header, opened, thoroughness),
  ];
}

function judgeUnread(
  header: HeaderFacts | null,
  opened: OpenedLayers,
  streams: readonly (StreamResult | null)[],
): Problem[] {
  const isUnread = opened.compressed.some(({ seekable }, i) => streams[i] === null && seekable === null);
  if (!isUnread || headerVouches(header, opened)) return [];
  const message = "Whether the compressed dump is whole takes reading all of it: --verify does";
  return [problem("compressed-unread", message)];
}

/** What a seek table promised and reading did not find. */
function judgeFrames({ compressed }: OpenedLayers, streams: readonly (StreamResult | null)[]): Problem[] {
  return compressed.flatMap(({ seekable }, i) => {
    const read = streams[i];
    if (seekable !== null && read?.end.reason === "end" && read.produced !== seekable.size) {
      const message = `The zstd stream holds ${read.produced} bytes, and ${seekable.size} by its seek table`;
      return [problem("compressed-damaged", message)];
    }
    if (typeof seekable?.damagedAt !== "number" || (read?.end.reason ?? "end") !== "end") return [];
    const message = `The zstd frame that holds byte ${seekable.damagedAt} is damaged`;
    return [problem("compressed-damaged", message)];
  });
}

/** An encrypted dump without its key can be as long as it should be, but not be read to its end. */
function judgeClosed(
  header: HeaderFacts | null,
  opened: OpenedLayers,
  thoroughness: Thoroughness,
): Problem[] {
  if (opened.decrypted !== null) return [];
  if (thoroughness !== "verify" && headerVouches(header, opened)) return [];
  return [problem("encrypted-unread", "Whether the encrypted dump is whole cannot be told without its key")];
}
