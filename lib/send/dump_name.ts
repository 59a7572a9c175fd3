/**
 * What the name of a dump file says: netdumpd's and ours, `vmcore[_encrypted].<host>.<n>[.gz|.zst]` (reference
 * netdump-protocol.md, section 5.3), and savecore's, `vmcore[_encrypted].<n>` and `livecore.<n>`
 * (kernel-dump-formats.md, section 2.1).
 *
 * @module
 */

/** What a dump file's name says. */
export interface DumpName {
  /** What its companions share with it: `w1.0` in `kdh.w1.0`; `undefined` if the name is no dump's. */
  readonly stem: string | undefined;
  readonly encrypted: boolean;
  readonly compression: "none" | "gzip" | "zstd";
  /** A dump that never arrived whole. */
  readonly incomplete: boolean;
}

const COMPRESSIONS = { gz: "gzip", zst: "zstd" } as const;

/** Takes a dump's file name, without directories, apart. */
export function parseDumpName(name: string): DumpName {
  const [, prefix, stem, suffixes = ""] =
    /^(?:(vmcore_encrypted|vmcore|livecore)\.)?(.*?)((?:\.(?:gz|zst|incomplete))*)$/s.exec(name) ?? [];
  const [, suffix] = /\.(gz|zst)\b/.exec(suffixes) ?? [];
  return {
    stem: prefix === undefined ? undefined : stem,
    encrypted: prefix === "vmcore_encrypted",
    compression: suffix === "gz" || suffix === "zst" ? COMPRESSIONS[suffix] : "none",
    incomplete: suffixes.includes(".incomplete"),
  };
}
