/**
 * How a compressed stream ended: the common word of the decoders.
 *
 * @module
 */

/** The end of a compressed stream; what was decoded before it is good in any case but `checksum`, up to a surplus. */
export interface StreamEnd {
  /**
   * `end`: whole; `truncated`: the data stops before the stream does; `corrupt`: it breaks the format;
   * `checksum`: decoded to its end, but it is not what was compressed; `unsupported`: needs what no kernel uses.
   */
  readonly reason: "end" | "truncated" | "corrupt" | "checksum" | "unsupported";
  /** Compressed bytes up to the end of the stream or to where decoding stopped; `null` if not known. */
  readonly consumed: number | null;
  /** Behind an `end` come bytes that are neither padding nor another member or frame. */
  readonly followedByGarbage?: boolean;
  /** So many of the last bytes that came out are not good: they came before the damage was seen. */
  readonly surplusBytes?: number;
  /** What was found, in a few words of ours. */
  readonly detail?: string;
}

/** Whether bytes behind the end of a stream are more than padding: zeros. */
export function isGarbage(behind: Uint8Array): boolean {
  return behind.some((byte) => byte !== 0);
}
