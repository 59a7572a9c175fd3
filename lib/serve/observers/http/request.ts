/**
 * The little of HTTP/1 that a status page needs, pure: a request's head in, an answer's bytes out. A connection is for one
 * request, so nothing of the next can hide in it.
 *
 * @module
 */

/** A request, as far as it matters. */
export interface Request {
  readonly method: string;
  /** Decoded, without the query; begins with a slash. */
  readonly path: string;
  /** The Host header in lower case without its port; empty if there is none. */
  readonly host: string;
}

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Longest head of a request, in bytes. */
export const HEAD_LIMIT = 8192;

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** Nothing is fetched, framed, guessed or kept. */
const ALWAYS: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-store",
  "Connection": "close",
};

/** An answer in a line of text. */
export function plainAnswer(status: number, text: string, headers: Answer["headers"] = {}): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n`, headers };
}

/**
 * Reads the head of a request, which ends before its empty line.
 *
 * @returns what to answer instead if it is none
 */
export function parseRequest(head: string): Request | Answer {
  const [first = "", ...fields] = head.split("\r\n");
  const [, method, target] = /^([A-Z]{1,16}) (\/[!-~]{0,2048}) HTTP\/1\.[01]$/.exec(first) ?? [];
  if (method === undefined || target === undefined) return plainAnswer(400, "This is no HTTP/1 request");
  const hosts: string[] = [];
  for (const field of fields) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):([^\0\r\n]*)$/.exec(field) ?? [];
    if (name === undefined || value === undefined) return plainAnswer(400, "A header field is malformed");
    if (name.toLowerCase() === "host") hosts.push(value.trim());
  }
  if (hosts.length > 1) return plainAnswer(400, "There is more than one Host");
  try {
    const path = decodeURIComponent(target.split("?", 1)[0]!);
    return { method, path, host: hostName(hosts[0] ?? "") };
  } catch {
    return plainAnswer(400, "The path is not UTF-8");
  }
}

/** The answer as it goes out. */
export function encodeAnswer({ status, type, body, headers }: Answer, withBody: boolean): Uint8Array {
  const encoder = new TextEncoder();
  const bytes = encoder.encode(body);
  const fields = {
    "Content-Type": type,
    "Content-Length": `${bytes.byteLength}`,
    ...ALWAYS,
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = encoder.encode(`HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${lines.join("")}\r\n`);
  if (!withBody) return head;
  const all = new Uint8Array(head.byteLength + bytes.byteLength);
  all.set(head);
  all.set(bytes, head.byteLength);
  return all;
}

function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d{1,5}$/, "");
}
