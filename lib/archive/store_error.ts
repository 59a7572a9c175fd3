/**
 * What a store's refusals mean, and what to do about each (P11).
 *
 * @module
 */
import { escapeLine } from "../text/escape.ts";
import { formatDuration } from "../text/units.ts";
import { elementText } from "./xml.ts";

/** Why a request failed. */
export type StoreFailure =
  | "unreachable"
  | "wrong-key"
  | "not-allowed"
  | "no-bucket"
  | "wrong-region"
  | "clock"
  | "full"
  | "busy"
  | "absent"
  | "damaged"
  | "refused";

/** A request that failed. No message holds a secret: what is said comes from the store's answer or from the system. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly failure: StoreFailure;

  constructor(failure: StoreFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** A signature is taken within a quarter of an hour. */
const MAX_CLOCK_DIFFERENCE_MS = 15 * 60_000;
const MAX_TEXT_LENGTH = 200;

const BY_CODE: Readonly<Record<string, StoreFailure>> = {
  InvalidAccessKeyId: "wrong-key",
  SignatureDoesNotMatch: "wrong-key",
  InvalidToken: "wrong-key",
  ExpiredToken: "wrong-key",
  InvalidTokenId: "wrong-key",
  RequestTimeTooSkewed: "clock",
  AccessDenied: "not-allowed",
  AllAccessDisabled: "not-allowed",
  NoSuchBucket: "no-bucket",
  PermanentRedirect: "wrong-region",
  AuthorizationHeaderMalformed: "wrong-region",
  IncorrectEndpoint: "wrong-region",
  QuotaExceeded: "full",
  InsufficientStorage: "full",
  XMinioStorageFull: "full",
  EntityTooLarge: "full",
  SlowDown: "busy",
  ServiceUnavailable: "busy",
  InternalError: "busy",
  BadDigest: "damaged",
  XAmzContentSHA256Mismatch: "damaged",
  NoSuchKey: "absent",
  NoSuchUpload: "absent",
};

const BY_STATUS: Readonly<Record<number, StoreFailure>> = {
  301: "wrong-region",
  307: "wrong-region",
  401: "wrong-key",
  403: "not-allowed",
  404: "absent",
  413: "full",
  422: "damaged",
  429: "busy",
  507: "full",
};

/** What is known of an answer that is no success. */
export interface BadAnswer {
  readonly status: number;
  readonly body: string;
  /** Its header `Date`. */
  readonly date: string | null;
  /** Unix time in ms at which it came. */
  readonly nowMs: number;
}

/** The error that an answer stands for. */
export function storeError(what: string, { status, body, date, nowMs }: BadAnswer): StoreError {
  const code = elementText(body, "Code") ?? "";
  const text = escapeLine((elementText(body, "Message") ?? "").slice(0, MAX_TEXT_LENGTH));
  const said = [`${status}`, escapeLine(code.slice(0, 64)), text].filter((part) => part !== "").join(" ");
  const differenceMs = nowMs - Date.parse(date ?? "");
  const isOff = Math.abs(differenceMs) > MAX_CLOCK_DIFFERENCE_MS;
  if (BY_CODE[code] === "clock" || ((status === 403 || status === 400) && isOff)) {
    const off = isOff
      ? ` by ${formatDuration(Math.abs(differenceMs))}, it is ${differenceMs > 0 ? "fast" : "slow"}`
      : "";
    return new StoreError("clock", `${what}: this machine's clock differs from the store's${off} (${said})`);
  }
  const failure = BY_CODE[code] ?? BY_STATUS[status] ?? (status >= 500 ? "busy" : "refused");
  return new StoreError(failure, `${what}: the store says ${said}`);
}

/** What to do about a failure. */
export const STORE_ADVICE: Readonly<Record<StoreFailure, string>> = {
  "unreachable": "look at the network, the name and the port of --s3-endpoint",
  "wrong-key": "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the file of --s3-credentials",
  "not-allowed": "let the key list the bucket, write to it and read from it",
  "no-bucket": "create the bucket, or correct its name in --ship",
  "wrong-region": "set AWS_REGION to the bucket's region, or --s3-endpoint to its endpoint",
  "clock": "set the clock, as with NTP: signatures hold a quarter of an hour",
  "full": "make room in the store, or raise its quota",
  "busy": "wait; the store is overloaded or ill",
  "absent": "see whether someone removes objects or uploads",
  "damaged": "look for a proxy or memory that changes bytes; nothing is removed here",
  "refused": "see what the store says; it may not speak S3",
};
