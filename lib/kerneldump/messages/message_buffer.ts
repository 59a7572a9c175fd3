/**
 * The kernel's message buffer: a ring of text and the control structure that tells where it begins (reference
 * kernel-dump-formats.md, section 4).
 *
 * @module
 */

import { guessOldest } from "./message_order.ts";
import { type Problem, problem } from "../problem.ts";
import { formatSize } from "../../text/units.ts";
import { decodeUtf8 } from "../../text/utf8.ts";

/** No kernel has a message buffer larger than this, in bytes; it bounds what is read of one. */
export const MESSAGE_BUFFER_LIMIT = 64 * 1024 * 1024;
/** No kernel is set up for more messages; of what a hostile file has the newest are kept, in bytes. */
export const MESSAGES_LIMIT = 16 * 1024 * 1024;

/** What finding the fields of `struct msgbuf` needs to know of the machine. */
export interface Machine {
  readonly littleEndian: boolean;
  /** Bytes of a pointer: 16 on kernels whose pointers are capabilities. */
  readonly wordSize: 4 | 8 | 16;
}

/** The fields of `struct msgbuf` that matter. */
export interface MessageBufferControl {
  /** Bytes of text. */
  readonly size: number;
  /** Bytes ever written, modulo 16 times the size. */
  readonly writeSequence: number;
  /** Bytes that syslogd has read, by the same count. */
  readonly readSequence: number;
  /** Sum of all bytes of text, modulo 2^32. */
  readonly checksum: number;
}

/** The messages in order. */
export interface MessageBuffer {
  /** Oldest first, never-written parts left out; unfiltered: escape it before it is shown. */
  readonly text: string;
  /** Whether older text was overwritten: then the first line is usually partial. */
  readonly wrapped: boolean;
  /** How the order was found: by the control structure, because nothing was overwritten yet, by a guess, or not. */
  readonly order: "control" | "unwrapped" | "guessed" | "unknown";
  readonly problems: readonly Problem[];
}

const MAGIC = 0x063062;
const SEQUENCE_FACTOR = 16;

/** Bytes of `struct msgbuf` up to the fields that matter: the rest of it may be cut off. */
export function controlSize({ wordSize }: Machine): number {
  return wordSize + 24;
}

/**
 * Decodes and validates `struct msgbuf`.
 *
 * @returns `undefined` if there is none, or none that can be right
 */
export function decodeControl(bytes: Uint8Array, machine: Machine): MessageBufferControl | undefined {
  if (bytes.byteLength < controlSize(machine)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const field = (index: number) => view.getUint32(machine.wordSize + 4 * index, machine.littleEndian);
  const control = { size: field(1), writeSequence: field(2), readSequence: field(3), checksum: field(4) };
  const modulus = field(5);
  const plausible = field(0) === MAGIC && control.size > 0 && control.size <= MESSAGE_BUFFER_LIMIT &&
    modulus === control.size * SEQUENCE_FACTOR &&
    control.writeSequence < modulus && control.readSequence < modulus;
  return plausible ? control : undefined;
}

/** Whether the control structure's checksum is that of the text. */
export function checksumMatches(ring: Uint8Array, control: MessageBufferControl): boolean {
  let sum = 0;
  for (let at = 0; at < ring.byteLength; at++) sum += ring[at]!;
  return sum % 0x100000000 === control.checksum;
}

/** Puts the ring in order by its control structure (section 4.3). */
export function orderByControl(ring: Uint8Array, control: MessageBufferControl): MessageBuffer {
  const oldest = control.writeSequence % control.size;
  const { text, problems: cut } = newestText(ring, oldest);
  const problems: Problem[] = [];
  if (!checksumMatches(ring, control)) {
    problems.push(problem(
      "message-buffer-checksum",
      "The message buffer's checksum does not match its text: it changed while it was dumped, or is damaged",
    ));
  }
  return {
    text: decodeUtf8(text),
    wrapped: (ring[oldest] ?? 0) !== 0,
    order: "control",
    problems: [...problems, ...cut, ...checkEmpty(ring)],
  };
}

/**
 * Puts the ring in order without a control structure, and says how sure that is (section 4.4).
 *
 * @param why why there is no control structure, for the problem's message
 */
export function orderByText(ring: Uint8Array, why: string): MessageBuffer {
  const empty = checkEmpty(ring);
  const unwrapped = ring.length === 0 || ring.at(-1) === 0;
  const noControl = problem("message-buffer-no-control", `The message buffer's control structure ${why}`);
  const buffer = (
    order: MessageBuffer["order"],
    oldest: number,
    ...problems: Problem[]
  ): MessageBuffer => {
    const { text, problems: cut } = newestText(ring, oldest);
    return {
      text: decodeUtf8(text),
      wrapped: !unwrapped,
      order,
      problems: [noControl, ...problems, ...cut],
    };
  };
  if (empty.length > 0) return buffer("unwrapped", 0, ...empty);
  if (unwrapped) return buffer("unwrapped", 0);
  const guess = guessOldest(ring);
  if (guess !== undefined) {
    const message = `Where the message buffer's text begins is a guess: ${guess.reason}`;
    return buffer("guessed", guess.oldest, problem("message-buffer-order-guessed", message));
  }
  const message = "Where the message buffer's text begins cannot be told: it is shown as it lies in memory";
  return buffer("unknown", 0, problem("message-buffer-order-unknown", message));
}

function checkEmpty(ring: Uint8Array): Problem[] {
  if (ring.some((byte) => byte !== 0)) return [];
  return [problem("message-buffer-empty", "The message buffer holds no text")];
}

/** What was written, oldest first, as much of the newest as is kept; NUL bytes are what never was. */
function newestText(ring: Uint8Array, oldest: number): { text: Uint8Array; problems: Problem[] } {
  const text = new Uint8Array(Math.min(ring.byteLength, MESSAGES_LIMIT));
  let start = text.byteLength;
  for (const part of [ring.subarray(0, oldest), ring.subarray(oldest)]) {
    // The newest first, in stretches without NUL.
    for (let end = part.byteLength; end > 0;) {
      if (part[end - 1] === 0) {
        end--;
        continue;
      }
      const from = part.lastIndexOf(0, end - 1) + 1;
      const kept = Math.min(end - from, start);
      text.set(part.subarray(end - kept, end), start - kept);
      start -= kept;
      if (kept < end - from) return { text, problems: [messagesCut()] };
      end = from;
    }
  }
  return { text: text.subarray(start), problems: [] };
}

/** That there were more messages than are kept. */
export function messagesCut(): Problem {
  const message = `The messages are more than ${formatSize(MESSAGES_LIMIT)}: the newest of them are told`;
  return problem("message-buffer-cut", message);
}
