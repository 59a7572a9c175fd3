/**
 * Guesses where the oldest text of a wrapped message buffer begins when nothing tells (reference
 * kernel-dump-formats.md, section 4.4, fallback B).
 *
 * @module
 */

/** A guess, and what it goes by. */
export interface Guess {
  /** The index of the oldest byte. */
  readonly oldest: number;
  readonly reason: string;
}

/**
 * The last things that a panicking kernel prints. Of the progress marks behind "MB:" at most a few are in the buffer,
 * and no line feed follows them, so that the oldest text stands on the same line. Kernels up to 8 count megabytes down.
 */
const PANIC_END =
  /(?:Uptime: (?:\d{1,9}[dhm]){0,3}\d{1,9}s\n|Dumping \d{1,12} out of \d{1,12} MB:(?:\.\.\d{1,3}%)*|Dumping \d{1,12} MB:(?: \d{1,12})*)/g;

/** A new boot soon after such an end means that it belongs to an earlier panic. */
const BOOT = /---<<BOOT>>---|Copyright \(c\) 1992-/;
const BOOT_WITHIN = 1024;

const TIMESTAMP = /^(?:<\d+>)?\[(\d+(?:\.\d+)?)\] /gm;

/** Guesses, or gives up with `undefined`. The work is linear in the text. */
export function guessOldest(ring: Uint8Array): Guess | undefined {
  // One character a byte, so that indexes agree.
  const text = new TextDecoder("latin1").decode(ring);
  return guessByPanicEnd(text) ?? guessByTimestamps(text);
}

function guessByPanicEnd(text: string): Guess | undefined {
  let oldest: number | undefined;
  for (const match of text.matchAll(PANIC_END)) {
    const end = match.index + match[0].length;
    if (!BOOT.test(text.slice(end, end + BOOT_WITHIN))) oldest = end;
  }
  if (oldest === undefined) return undefined;
  return {
    oldest: oldest % text.length,
    reason: "it is taken to be what follows the last words of the panic",
  };
}

function guessByTimestamps(text: string): Guess | undefined {
  let previous: { seconds: number; at: number } | undefined;
  const jumps: number[] = [];
  for (const match of text.matchAll(TIMESTAMP)) {
    const seconds = Number(match[1]);
    if (previous !== undefined && seconds < previous.seconds) {
      if (!BOOT.test(text.slice(previous.at, match.index))) jumps.push(previous.at);
    }
    if (jumps.length > 1) return undefined;
    previous = { seconds, at: match.index };
  }
  const [jump] = jumps;
  if (jump === undefined) return undefined;
  const newline = text.indexOf("\n", jump);
  return { oldest: (newline + 1) % text.length, reason: "it is taken to be where the time stamps go back" };
}
