/**
 * Signatures of requests to S3 (AWS Signature Version 4), pure. The payload's SHA-256 is part of what is signed, so a store
 * refuses what arrives changed (P12).
 *
 * @module
 */
import { createHash } from "node:crypto";

/** Who asks. */
export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Of temporary credentials only. */
  readonly sessionToken: string | null;
  readonly region: string;
}

/** What is to be signed: all but the date and the signature. */
export interface UnsignedRequest {
  readonly method: string;
  /** With a path that {@linkcode encodePath} made, and a query that {@linkcode encodeQuery} made. */
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body, in hexadecimal digits. */
  readonly payloadSha256: string;
}

const HMAC_BLOCK_BYTES = 64;
const ALGORITHM = "AWS4-HMAC-SHA256";

/** The headers to send: those given, and the date, payload hash, token and signature. `host` is left to `fetch`. */
export function signHeaders(
  { method, url, headers, payloadSha256 }: UnsignedRequest,
  { accessKey, secretKey, sessionToken, region }: Credentials,
  nowMs: number,
): Record<string, string> {
  const time = basicTime(nowMs);
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const sent: Record<string, string> = {
    ...headers,
    "x-amz-content-sha256": payloadSha256,
    "x-amz-date": time,
    ...(sessionToken === null ? {} : { "x-amz-security-token": sessionToken }),
  };
  const signed = Object.entries({ ...sent, host: url.host }).sort(([a], [b]) => a < b ? -1 : 1);
  const names = signed.map(([name]) => name).join(";");
  const canonical = [
    method,
    url.pathname,
    url.search.slice(1),
    ...signed.map(([name, value]) => `${name}:${value.trim()}`),
    "",
    names,
    payloadSha256,
  ].join("\n");
  const toSign = [ALGORITHM, time, scope, sha256Hex(canonical)].join("\n");
  const key = scope.split("/").reduce<string | Uint8Array>(hmac, `AWS4${secretKey}`);
  const signature = Array.from(
    hmac(key, toSign),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
  sent.authorization =
    `${ALGORITHM} Credential=${accessKey}/${scope},SignedHeaders=${names},Signature=${signature}`;
  return sent;
}

/** A bucket and a key as a URL's path. */
export function encodePath(bucket: string, key: string): string {
  return `/${[bucket, ...(key === "" ? [] : key.split("/"))].map(encode).join("/")}`;
}

/** Parameters as a URL's query, in the order in which they are signed. */
export function encodeQuery(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
}

/** SHA-256 of bytes or of a text's UTF-8, in hexadecimal digits. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** A Unix time in ms as `20261126T235900Z`. */
export function basicTime(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}

/** HMAC-SHA256 (RFC 2104): that of node:crypto warns on stderr in Deno 2.4. */
function hmac(key: string | Uint8Array, text: string): Uint8Array {
  const bytes = typeof key === "string" ? new TextEncoder().encode(key) : key;
  const block = new Uint8Array(HMAC_BLOCK_BYTES);
  block.set(bytes.length > HMAC_BLOCK_BYTES ? createHash("sha256").update(bytes).digest() : bytes);
  const inner = createHash("sha256").update(block.map((byte) => byte ^ 0x36)).update(text).digest();
  return createHash("sha256").update(block.map((byte) => byte ^ 0x5c)).update(inner).digest();
}

/** All but letters, digits, `-`, `.`, `_` and `~` as `%XX`. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
