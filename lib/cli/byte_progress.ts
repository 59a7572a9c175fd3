/**
 * Progress of an operation that reports how many bytes are done, once it takes long enough to be worth showing.
 *
 * @module
 */

import { ProgressBar } from "./progress.ts";

/** Quicker operations show no bar. */
const PATIENCE_MS = 500;

/** A progress bar that appears when it is needed. */
export class ByteProgress {
  readonly #label: string;
  readonly #startMs = performance.now();
  #doneBytes = 0;
  #totalBytes = 0;
  #bar: ProgressBar | undefined;

  constructor(label: string) {
    this.#label = label;
  }

  /** Takes note of how far it is; without a total there is nothing to show. */
  readonly update = (doneBytes: number, totalBytes: number | null): void => {
    this.#doneBytes = doneBytes;
    if (totalBytes === null) return;
    this.#totalBytes = totalBytes;
    const elapsedMs = performance.now() - this.#startMs;
    if (elapsedMs < PATIENCE_MS) return;
    this.#bar ??= new ProgressBar(this.#label, () => ({
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      elapsedMs: performance.now() - this.#startMs,
      note: "",
    }));
  };

  /** Removes the bar. */
  stop(): void {
    this.#bar?.stop();
  }
}
