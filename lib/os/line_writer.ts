/**
 * Writes lines to whoever reads them, or does not: a closed pipe, a full disk or a reader that has stopped never ends
 * or delays the program. Lines for which there is no room are dropped and counted.
 *
 * @module
 */

/** Most bytes that wait for the reader. */
const MOST_WAITING_BYTES = 1024 * 1024;
/** After a write that failed the next one is tried with the next line, but not sooner than this. */
const RETRY_MS = 1000;

/** Writes bytes, some of them or all; rejects with the system's error. */
export type Write = (bytes: Uint8Array) => Promise<number>;

/** A queue of lines in front of a writer. */
export class LineWriter {
  readonly #write: Write;
  readonly #mostBytes: number;
  readonly #now: () => number;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;
  #failedMs = -Infinity;

  /** @param now monotonic time in ms */
  constructor(write: Write, mostBytes = MOST_WAITING_BYTES, now = () => performance.now()) {
    this.#write = write;
    this.#mostBytes = mostBytes;
    this.#now = now;
  }

  /** Lines dropped since this was asked last. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Puts a line behind those that wait; returns at once. */
  put(line: string): void {
    const bytes = new TextEncoder().encode(line + "\n");
    if (this.#waitingBytes + bytes.byteLength > this.#mostBytes) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
    this.#writing ??= this.#drain();
  }

  /** Resolves when all that waits is written or dropped, or after a while. */
  async flushed(patienceMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, patienceMs));
    await Promise.race([this.#writing ?? Promise.resolve(), late]);
    clearTimeout(timer);
  }

  async #drain(): Promise<void> {
    // What is put within one turn is written in one go.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      const chunk = concatenate(lines, this.#waitingBytes);
      try {
        if (this.#now() - this.#failedMs < RETRY_MS) throw new Error("It failed a moment ago");
        for (let done = 0; done < chunk.byteLength;) done += await this.#write(chunk.subarray(done));
      } catch {
        if (this.#now() - this.#failedMs >= RETRY_MS) this.#failedMs = this.#now();
        this.#dropped += lines.length;
      }
      this.#waitingBytes -= chunk.byteLength;
    }
    // In the same step as the look at what waits: a line put a microtask later starts anew, and is not forgotten.
    this.#writing = undefined;
  }
}

function concatenate(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all.subarray(0, at);
}
