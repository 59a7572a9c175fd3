/**
 * Looks through the layers around a dump: encryption and compression, in whatever order they come (reference
 * kernel-dump-formats.md, sections 7 and 8).
 *
 * @module
 */

import type { Identity } from "../../kerneldump/identify.ts";
import { decodeKernelDumpKey, type KernelDumpKey } from "../../kerneldump/files/key.ts";
import { type Problem, problem } from "../../kerneldump/problem.ts";
import { identifySource } from "./container.ts";
import { decryptSource } from "./decrypt.ts";
import { decompressGzip } from "../../bytes/gzip/member.ts";
import { decryptSessionKey, type PrivateKey } from "./private_key.ts";
import type { Source } from "../../bytes/source.ts";
import { type Stream, StreamSource } from "../../bytes/stream_source.ts";
import { decompressZstd } from "../../bytes/zstd/frame.ts";
import { SeekableZstdSource } from "../../bytes/zstd/seekable_source.ts";

/** A layer around a dump. */
export type Layer = "encrypted" | "gzip" | "zstd";

/** A compressed layer, for reading it through. */
export interface CompressedLayer {
  readonly compression: "gzip" | "zstd";
  /** What is compressed. */
  readonly input: Source;
  /** The largest window that a zstd frame may ask for, in bytes. */
  readonly mostWindowBytes: number;
  /** What is below it, where its frames can be read one by one; else it is read from the front. */
  readonly seekable: SeekableZstdSource | null;
}

/** What opening the layers needs. */
export interface LayerContext {
  /** The file's name: ciphertext has no magic. */
  readonly name: string;
  /** Whether the header says that the dump is encrypted; `null` if there is no header. */
  readonly headerSaysEncrypted: boolean | null;
  /** The key block, undecoded. */
  readonly key: Uint8Array | null;
  readonly privateKey: PrivateKey | null;
}

/** A dump with its layers opened as far as possible. */
export interface OpenedLayers {
  /** From the outside in. */
  readonly layers: readonly Layer[];
  /** The innermost bytes that can be read. */
  readonly source: Source;
  /** What they are. */
  readonly identity: Identity;
  /** The bytes below encryption, still compressed: what `--output` writes. `source` if nothing is encrypted. */
  readonly decrypted: Source | null;
  readonly compressed: readonly CompressedLayer[];
  readonly key: KernelDumpKey | null;
  readonly problems: readonly Problem[];
}

/** Of the outermost compression, the zstd program's own limit; below it the kernel's, so that layers in layers do not add up. */
const MOST_WINDOW_BYTES = { outermost: 128 * 2 ** 20, inner: 8 * 2 ** 20 } as const;
/** The kernel makes two layers, savecore can add one: more is a file that lies. */
const MAX_LAYERS = 4;

/** Opens the layers of a dump, the outermost first. */
export async function openLayers(
  outer: Source,
  outermost: Identity,
  context: LayerContext,
): Promise<OpenedLayers> {
  const layers: Layer[] = [];
  const compressed: CompressedLayer[] = [];
  const problems: Problem[] = [];
  let source = outer;
  let identity = outermost;
  let decrypted: Source | null = outer;
  let key: KernelDumpKey | null = null;
  while (layers.length < MAX_LAYERS) {
    if (identity.kind === "compressed") {
      layers.push(identity.compression);
      const mostWindowBytes = MOST_WINDOW_BYTES[compressed.length === 0 ? "outermost" : "inner"];
      const { compression } = identity;
      const seekable = compression === "zstd" ? await SeekableZstdSource.open(source) ?? null : null;
      const layer = { compression, input: source, mostWindowBytes, seekable };
      compressed.push(layer);
      source = seekable ?? decompressed(layer);
    } else if (!layers.includes("encrypted") && isEncrypted(identity, context)) {
      layers.push("encrypted");
      const opened = await decrypt(source, context);
      key = opened.key;
      problems.push(...opened.problems);
      decrypted = opened.source;
      if (opened.source === null) {
        identity = { kind: "encrypted" };
        break;
      }
      source = opened.source;
    } else {
      break;
    }
    identity = await identifySource(source, context.name.replace(/^vmcore_encrypted/, "vmcore"));
  }
  return { layers, source, identity, decrypted, compressed, key, problems };
}

/** Begins to decompress a layer. */
export function openStream(
  { compression, input, mostWindowBytes }: CompressedLayer,
  checksum: boolean,
): Stream {
  return compression === "gzip"
    ? decompressGzip(input, { checksum })
    : decompressZstd(input, { checksum, mostWindowBytes });
}

function decompressed(layer: CompressedLayer): Source {
  return new StreamSource(() => openStream(layer, false));
}

function isEncrypted(identity: Identity, { name, headerSaysEncrypted, key }: LayerContext): boolean {
  if (identity.kind === "encrypted") return true;
  if (identity.kind !== "unknown" || identity.hint !== null) return false;
  // savecore can compress the ciphertext; a key beside a dump without a magic says what its name does not.
  return name.startsWith("vmcore_encrypted") || (headerSaysEncrypted ?? key !== null);
}

interface Decrypted {
  readonly source: Source | null;
  readonly key: KernelDumpKey | null;
  readonly problems: readonly Problem[];
}

async function decrypt(source: Source, { name, key, privateKey }: LayerContext): Promise<Decrypted> {
  const refuse = (found: KernelDumpKey | null, ...problems: Problem[]) => ({
    source: null,
    key: found,
    problems,
  });
  if (key === null) {
    return refuse(null, problem("key-missing", "The dump is encrypted, and there is no key.* for it"));
  }
  let decoded: KernelDumpKey;
  try {
    decoded = decodeKernelDumpKey(key);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return refuse(
      null,
      problem("key-damaged", `The dump is encrypted, and its key is damaged: ${error.message}`),
    );
  }
  if (privateKey === null) {
    const message =
      "The dump is encrypted: --private-key with the RSA key that it was made for looks through it";
    return refuse(decoded, problem("encrypted", message));
  }
  const session = decryptSessionKey(privateKey, decoded);
  if (session.kind === "wrong-key") {
    return refuse(
      decoded,
      problem("private-key-wrong", `The private key is not the dump's: ${session.reason}`),
    );
  }
  const plain = decryptSource(source, decoded, session.key);
  const { kind } = await identifySource(plain, name);
  if (kind === "minidump" || kind === "elf-core" || kind === "compressed" || kind === "textdump") {
    return { source: plain, key: decoded, problems: [] };
  }
  const message =
    "The private key opens the dump's key, but what comes out is no dump: the key belongs to another " +
    "dump, or the beginning of this one is damaged";
  return refuse(decoded, problem("private-key-wrong", message));
}
