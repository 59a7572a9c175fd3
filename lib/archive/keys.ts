/**
 * Where things lie in a bucket, pure: a dump's objects below `dumps/`, and below `catalog/v1/` an entry for each dump, by the
 * day, which is written last and says that all of it is there (P12).
 *
 * @module
 */
import { basicTime } from "./signature.ts";

/** A bucket, and a prefix of its keys, empty or with a slash at its end. */
export interface ShelfLocation {
  readonly bucket: string;
  readonly prefix: string;
}

/** What tells a dump from all others. */
export interface ShippedName {
  readonly host: string;
  readonly number: number;
  /** Unix time in ms at which it began to come. */
  readonly startedMs: number;
  /** Sixteen hexadecimal digits. */
  readonly id: string;
}

const MAX_KEY_LENGTH = 512;
const FOLDER = /^((\d{4})(\d{2})(\d{2})T\d{6}Z)-\d{1,9}-([0-9a-f]{16})$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/**
 * Reads `s3://BUCKET[/PREFIX]`.
 *
 * @throws {SyntaxError} saying what is expected
 */
export function parseShelfLocation(text: string): ShelfLocation {
  if (!text.startsWith("s3://")) throw new SyntaxError("s3://BUCKET[/PREFIX]");
  const [bucket = "", ...rest] = text.slice("s3://".length).split("/");
  if (!BUCKET.test(bucket)) {
    throw new SyntaxError(
      "s3://BUCKET[/PREFIX] with a bucket of 3 to 63 lowercase letters, digits, '-' and '.'",
    );
  }
  const parts = rest.filter((part, index) => part !== "" || index < rest.length - 1);
  if (parts.some((part) => part === "" || part === "." || part === "..") || /\p{Cc}/u.test(text)) {
    throw new SyntaxError("a prefix without empty parts, '.', '..' and control characters");
  }
  const prefix = parts.map((part) => `${part}/`).join("");
  if (new TextEncoder().encode(prefix).length > MAX_KEY_LENGTH) {
    throw new SyntaxError(`a prefix of at most ${MAX_KEY_LENGTH} bytes`);
  }
  return { bucket, prefix };
}

/** Key prefix of a dump's objects, with a slash at its end. */
export function dumpPrefix(prefix: string, { host, number, startedMs, id }: ShippedName): string {
  return `${prefix}dumps/${host}/${basicTime(startedMs)}-${number}-${id}/`;
}

/** Key of a dump's catalogue entry. */
export function catalogueKey(prefix: string, { host, startedMs, id }: ShippedName): string {
  return `${dayPrefix(prefix, startedMs)}${basicTime(startedMs)}-${host}-${id}.json`;
}

/** Key of the catalogue entry of the dump that an object belongs to; `undefined` if it is no dump's. */
export function catalogueKeyOf(objectKey: string): string | undefined {
  const [, folder = "", host, dumps, ...prefix] = objectKey.split("/").reverse();
  const [, time = "", year, month, day, id] = FOLDER.exec(folder) ?? [];
  if (time === "" || dumps !== "dumps") return undefined;
  return [...prefix.reverse(), "catalog/v1", year, month, day, `${time}-${host}-${id}.json`].join("/");
}

/** Key prefix of the catalogue's entries of one day, in UTC. */
export function dayPrefix(prefix: string, unixMs: number): string {
  return `${prefix}catalog/v1/${dayPath(unixMs)}/`;
}

/** Key prefix of what collectors say of the entries of one day, in UTC. */
export function summaryPrefix(prefix: string, unixMs: number): string {
  return `${prefix}days/v1/${dayPath(unixMs)}/`;
}

function dayPath(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(0, 10).replaceAll("-", "/");
}
