/**
 * The kernel dump header of a session, as its pieces come: normally one of 512 bytes, at a tiny MTU several.
 *
 * @module
 */
import {
  decodeKernelDumpHeader,
  decodeNewerHeader,
  KERNEL_DUMP_HEADER_SIZE,
  type KernelDumpHeader,
  type NewerKernelDumpHeader,
} from "../../kerneldump/files/header.ts";
import { Extents } from "./extents.ts";

/** Most pieces that a header can be in while it comes. */
const MOST_PIECES = 64;

/** What has come of a header, decoded once. */
export type ReceivedHeader =
  | { readonly kind: "none" }
  /** Not all of it. */
  | { readonly kind: "part"; readonly bytes: number }
  /** All of it, and it is none. */
  | { readonly kind: "damaged"; readonly why: string }
  /** Of a version that is not known, so that only its beginning can be read. */
  | { readonly kind: "newer"; readonly header: NewerKernelDumpHeader }
  | { readonly kind: "header"; readonly header: KernelDumpHeader };

/** The pieces of a header. */
export class HeaderPieces {
  readonly #bytes = new Uint8Array(KERNEL_DUMP_HEADER_SIZE);
  readonly #extents = new Extents(MOST_PIECES);
  #received: ReceivedHeader = { kind: "none" };

  /** What has come so far. */
  get received(): ReceivedHeader {
    return this.#received;
  }

  /** What a piece is: `new`, all of it there and the same (`equal`), or `different` where something is there. */
  compare(offset: number, piece: Uint8Array): "new" | "equal" | "different" {
    return compareWithKnown(this.#extents, this.#bytes, offset, piece);
  }

  /** Adds a piece that lies within the 512 bytes. */
  add(offset: number, piece: Uint8Array): void {
    this.#bytes.set(piece, offset);
    this.#extents.add(offset, offset + piece.byteLength);
    this.#received = this.#decode();
  }

  /** What is in, in pieces as long as can be. */
  pieces(): { readonly offset: number; readonly bytes: Uint8Array }[] {
    return this.#extents.ranges().map(({ start, end }) => ({
      offset: start,
      bytes: this.#bytes.slice(start, end),
    }));
  }

  #decode(): ReceivedHeader {
    const { covered } = this.#extents;
    if (covered < KERNEL_DUMP_HEADER_SIZE) return { kind: "part", bytes: covered };
    try {
      return { kind: "header", header: decodeKernelDumpHeader(this.#bytes) };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const newer = decodeNewerHeader(this.#bytes);
      if (newer !== undefined) return { kind: "newer", header: newer };
      return { kind: "damaged", why: error.message.replace(/^Cannot read kernel dump header: /, "") };
    }
  }
}

/**
 * Compares a piece with the bytes that are known where it lies.
 *
 * @param known which of `bytes` are known
 */
function compareWithKnown(
  known: Extents,
  bytes: Uint8Array,
  offset: number,
  piece: Uint8Array,
): "new" | "equal" | "different" {
  const end = offset + piece.byteLength;
  if (!known.intersects(offset, end)) return "new";
  for (const { start, end: knownEnd } of known.ranges()) {
    for (let at = Math.max(start, offset); at < Math.min(knownEnd, end); at++) {
      if (bytes[at] !== piece[at - offset]) return "different";
    }
  }
  return known.contains(offset, end) ? "equal" : "new";
}
