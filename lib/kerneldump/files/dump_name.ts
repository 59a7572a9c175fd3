/**
 * What the name of a file in a dump directory says: netdumpd's and ours, `vmcore[_encrypted].<host>.<n>[.gz|.zst]`
 * (reference netdump-protocol.md, section 5.3), and savecore's, `vmcore[_encrypted].<n>`, `livecore.<n>` and
 * `textdump.tar.<n>` (kernel-dump-formats.md, section 2.1), with what lies beside them.
 *
 * @module
 */

import type { Compression } from "./header.ts";

/** What a file's name says. */
export interface DumpName {
  /** What the file is: `vmcore`, `vmcore_encrypted`, `livecore`, `textdump.tar`, `info`, `key`, `kdh`, `core.txt`; or not said. */
  readonly prefix: string | null;
  /** Which dump it belongs to, `<host>.<n>` or savecore's `<n>`: what companions share. `null` if the name is no dump's. */
  readonly id: string | null;
  readonly encrypted: boolean;
  readonly compression: Compression;
  /** A dump that never arrived whole. */
  readonly incomplete: boolean;
}

/** Endings by other programs are no part of a dump's id. */
const NAME =
  /^(vmcore_encrypted|vmcore|livecore|textdump\.tar|info|key|kdh|core\.txt)\.(.+?)((?:\.(?:gz|zst|incomplete|bz2|xz|lz4))*)$/s;
const SUFFIXES = /(?:\.(?:gz|zst|incomplete)){1,8}$/;
const COMPRESSIONS: Readonly<Record<string, Compression>> = { gz: "gzip", zst: "zstd" };

/** Takes a file's name, without directories, apart. */
export function parseDumpName(name: string): DumpName {
  const [, prefix = null, id = null, suffixes = SUFFIXES.exec(name)?.[0] ?? ""] = NAME.exec(name) ?? [];
  const [, suffix = ""] = /\.(gz|zst)\b/.exec(suffixes) ?? [];
  return {
    prefix,
    id,
    encrypted: prefix === "vmcore_encrypted",
    compression: COMPRESSIONS[suffix] ?? "none",
    incomplete: suffixes.includes(".incomplete"),
  };
}
