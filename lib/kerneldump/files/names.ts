/**
 * The names of a dump's files (design of the dump directory; netdumpd's are in reference netdump-protocol.md 5.3).
 *
 * @module
 */
import type { Compression } from "./header.ts";

/** Ends the name of a core file that is not, or not yet, whole (P10). */
export const INCOMPLETE_SUFFIX = ".incomplete";
/** Directory below the dump directory that holds the server's own state (P9). */
export const STATE_DIRECTORY = ".netdump";

const COMPRESSION_SUFFIX: Readonly<Record<Compression, string>> = { none: "", gzip: ".gz", zstd: ".zst" };
const COMPRESSIONS = Object.keys(COMPRESSION_SUFFIX) as Compression[];

/** Names of the files of dump `<host>.<index>`. */
export interface DumpNames {
  readonly info: string;
  readonly header: string;
  readonly key: string;
}

/** The names that do not depend on what the dump turns out to be. */
export function dumpNames(host: string, index: number): DumpNames {
  return { info: `info.${host}.${index}`, header: `kdh.${host}.${index}`, key: `key.${host}.${index}` };
}

/** The core file's name while it is being received, and for ever if it does not become whole. */
export function incompleteCoreName(host: string, index: number, encrypted: boolean): string {
  return `${coreStem(encrypted)}.${host}.${index}${INCOMPLETE_SUFFIX}`;
}

/** The core file's name once it is whole. */
export function coreName(host: string, index: number, encrypted: boolean, compression: Compression): string {
  return `${coreStem(encrypted)}.${host}.${index}${COMPRESSION_SUFFIX[compression]}`;
}

/** All names that the core file of dump `<host>.<index>` can have. */
export function coreNames(host: string, index: number): string[] {
  return [false, true].flatMap((encrypted) => [
    incompleteCoreName(host, index, encrypted),
    ...COMPRESSIONS.map((compression) => coreName(host, index, encrypted, compression)),
  ]);
}

/** All names that a file of dump `<host>.<index>` can have. */
export function allDumpNames(host: string, index: number): string[] {
  return [...Object.values(dumpNames(host, index)), ...coreNames(host, index)];
}

/** Whether a text is what a dump's files can have for their host: a label, one with an address behind it, or an address. */
export function isHostLabel(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,80}$|^\d{1,3}(?:\.\d{1,3}){3}$/.test(text);
}

/** File that holds the next free index. */
export function boundsName(host: string): string {
  return `bounds.${host}`;
}

/** The links to the newest complete dump, as netdumpd makes them. */
export function lastLinks(host: string): { readonly core: string; readonly info: string } {
  return { core: `vmcore.${host}.last`, info: `info.${host}.last` };
}

/** Index of a host's dump that a file belongs to by its name; `undefined` if it is none of that host's dumps'. */
export function dumpIndex(name: string, host: string): number | undefined {
  const [, digits] = /\.(\d{1,9})(?:\.[a-z]+)?$/.exec(name) ?? [];
  const index = Number(digits);
  return digits !== undefined && allDumpNames(host, index).includes(name) ? index : undefined;
}

/**
 * Makes a file-name part of a host name (P5, P8): cut at the first dot, anything but letters, digits, `_` and `-`
 * dropped, at most 63 characters.
 *
 * @returns `undefined` if nothing is left
 */
export function hostLabel(hostName: string): string | undefined {
  const label = (hostName.split(".")[0] ?? "").replace(/[^A-Za-z0-9_-]/g, "").slice(0, 63);
  return label === "" ? undefined : label;
}

function coreStem(encrypted: boolean): string {
  return encrypted ? "vmcore_encrypted" : "vmcore";
}
