/**
 * The kinds of value an option takes: how each is parsed, what is expected of it, and how a shell completes it.
 *
 * @module
 */
import { parseEndpoint } from "../archive/credentials.ts";
import { parseShelfLocation, type ShelfLocation } from "../archive/keys.ts";
import { type Network, parseAddress, parseNetwork } from "../protocol/ipv4.ts";
import { heraldPathProblem } from "../protocol/herald_path.ts";
import { parseDuration, parseSize } from "../text/units.ts";

/** What a shell offers where a value is due. */
export type Completion = "file" | "directory" | "none" | readonly string[];

/** A kind of value. */
export interface ValueKind<T> {
  /** Placeholder in help, such as `SIZE`. */
  readonly placeholder: string;
  /** Turns the text of the command line into a value; throws `SyntaxError` with what is expected. */
  readonly parse: (text: string) => T;
  readonly completion: Completion;
}

/** A share of something, in percent. */
export interface Percent {
  readonly percent: number;
}

/** A host name or address with an optional port. */
export interface HostPort {
  readonly host: string;
  readonly port: number | undefined;
}

function kind<T>(placeholder: string, completion: Completion, parse: (text: string) => T): ValueKind<T> {
  return { placeholder, parse, completion };
}

function expected(what: string): never {
  throw new SyntaxError(what);
}

/** Any text. */
export const text = (placeholder: string): ValueKind<string> => kind(placeholder, "none", (value) => value);

/** The name of a file, opened later. */
export const file = (placeholder = "FILE"): ValueKind<string> => kind(placeholder, "file", (value) => value);

/** The name of a directory, opened later. */
export const directory: ValueKind<string> = kind("DIR", "directory", (value) => value);

/** A dotted IPv4 address. */
export const address: ValueKind<string> = kind(
  "ADDR",
  "none",
  (value) =>
    parseAddress(value) === undefined ? expected("a dotted IPv4 address, such as 192.0.2.10") : value,
);

/** An address that a machine can be called at; 0.0.0.0 stands for all of them. */
export const bindAddress: ValueKind<string> = kind("ADDR", "none", (value) => {
  const first = Number(value.split(".")[0]);
  return parseAddress(value) === undefined || first >= 224
    ? expected(
      "a local IPv4 address, such as 192.0.2.10 (no multicast or broadcast), or 0.0.0.0 for every local address",
    )
    : value;
});

/** A network in CIDR notation. */
export const network: ValueKind<Network> = kind(
  "CIDR",
  "none",
  (value) => parseNetwork(value) ?? expected("an IPv4 network, such as 192.0.2.0/24, or an address"),
);

/** A path below the dump directory, by the rules for a HERALD's path. */
export const relativePath: ValueKind<string> = kind("PATH", "none", (value) => {
  const problem = heraldPathProblem(value);
  return problem === undefined ? value : expected(`a relative path without ".." (this one: ${problem})`);
});

/** A whole number in a range. */
export function count(least: number, most: number): ValueKind<number> {
  return kind("N", "none", (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    return number >= least && number <= most ? number : expected(`a whole number from ${least} to ${most}`);
  });
}

/** A UDP port. */
export const port: ValueKind<number> = { ...count(1, 65535), placeholder: "PORT" };

/** A size in bytes, at least one. */
export const size: ValueKind<number> = kind("SIZE", "none", (value) => {
  const sizeBytes = parseSize(value);
  return sizeBytes > 0 ? sizeBytes : expected("a size of at least one byte");
});

/** A size in bytes or a share in percent. */
export const sizeOrPercent: ValueKind<number | Percent> = kind("SIZE|%", "none", (value) => {
  const [, percent] = /^(\d+(?:\.\d+)?)%$/.exec(value) ?? [];
  if (percent !== undefined && Number(percent) <= 100) return { percent: Number(percent) };
  try {
    return parseSize(value);
  } catch {
    return expected("a size such as 10G, or a share such as 5%");
  }
});

/** Longest duration, in milliseconds: a timer counts in 31 bits, and one that overflows fires at once. */
const MAX_DURATION_MS = 24 * 86_400_000;

/** An address in memory. */
export const memoryAddress: ValueKind<bigint> = kind("ADDRESS", "none", (value) => {
  const address = /^(?:0x[0-9a-f]{1,16}|\d{1,20})$/i.test(value) ? BigInt(value) : -1n;
  return address >= 0n && address < 2n ** 64n
    ? address
    : expected("an address, such as 0xffffffff81000000 or 4096");
});

/** A duration, in milliseconds; more than zero unless `zero` is allowed. */
export function duration(zero: "zero-allowed" | "positive" = "positive"): ValueKind<number> {
  return kind("DURATION", "none", (value) => {
    const durationMs = parseDuration(value);
    if (durationMs > MAX_DURATION_MS) return expected("a duration of at most 24d");
    return durationMs > 0 || zero === "zero-allowed" ? durationMs : expected("a duration longer than zero");
  });
}

/** One of a few words. */
export function choice<const W extends string>(...words: W[]): ValueKind<W> {
  return kind(
    words.join("|"),
    words,
    (value) => words.find((word) => word === value) ?? expected(`one of ${words.join(", ")}`),
  );
}

/** A URL of HTTP, without a name and password in it: whoever lists processes sees the command line. */
export const webUrl: ValueKind<URL> = kind("URL", "none", (value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    return expected("a URL with http or https, such as https://hooks.example.org/netdump");
  }
  return url.username === "" && url.password === "" ? url : expected(
    "a URL without name and password: NETDUMP_WEBHOOK_AUTHORIZATION in the environment is for them",
  );
});

/** A local address with its port. */
export interface AddressPort {
  readonly address: string;
  readonly port: number;
}

/** `ADDR:PORT`, an IPv4 address. */
export const addressPort: ValueKind<AddressPort> = kind("ADDR:PORT", "none", (value) => {
  const [, address = "", portText = ""] = /^([\d.]{7,15}):(\d{1,5})$/.exec(value) ?? [];
  return parseAddress(address) === undefined || Number(portText) < 1 || Number(portText) > 65535
    ? expected("an IPv4 address and a port, such as 127.0.0.1:9123")
    : { address, port: Number(portText) };
});

/** A name in DNS. */
export const dnsName: ValueKind<string> = kind(
  "NAME",
  "none",
  (value) =>
    /^[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,9}$/.test(value)
      ? value.toLowerCase()
      : expected("a host name, such as dumps.example.org"),
);

/** `HOST` or `HOST:PORT`. */
export const hostPort: ValueKind<HostPort> = kind("HOST[:PORT]", "none", (value) => {
  const [, host = "", portText] = /^([A-Za-z0-9._-]+)(?::(\d+))?$/.exec(value) ?? [];
  if (host === "") return expected("a host name or IPv4 address, with an optional :PORT");
  if (portText === undefined) return { host, port: undefined };
  return Number(portText) >= 1 && Number(portText) <= 65535
    ? { host, port: Number(portText) }
    : expected("a port from 1 to 65535 after the colon");
});

/** Where dumps are shipped to. */
export const shelf: ValueKind<ShelfLocation> = kind("s3://BUCKET[/PREFIX]", "none", parseShelfLocation);

/** URL of an object storage. */
export const endpoint: ValueKind<string> = kind("URL", "none", parseEndpoint);
