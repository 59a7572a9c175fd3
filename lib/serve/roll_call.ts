/**
 * Asks each receiver whether it is there.
 *
 * @module
 */

/** One question to all receivers at a time. */
export class RollCall {
  readonly #ask: (receiver: number, number: number) => void;
  #number = 0;
  #missing = new Set<number>();
  #complete: (() => void) | undefined;
  #running: Promise<number[]> | undefined;

  /** @param ask sends a question with its number to a receiver */
  constructor(ask: (receiver: number, number: number) => void) {
    this.#ask = ask;
  }

  /** Resolves with the receivers that did not answer in time. A call that runs already is this one too. */
  call(receivers: readonly number[], patienceMs: number): Promise<number[]> {
    this.#running ??= this.#callAll(receivers, patienceMs).finally(() => this.#running = undefined);
    return this.#running;
  }

  /** Takes an answer. */
  answered(receiver: number, number: number): void {
    if (number !== this.#number) return;
    this.#missing.delete(receiver);
    if (this.#missing.size === 0) this.#complete?.();
  }

  async #callAll(receivers: readonly number[], patienceMs: number): Promise<number[]> {
    if (receivers.length === 0) return [];
    this.#number++;
    this.#missing = new Set(receivers);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new Promise<void>((resolve) => {
      this.#complete = resolve;
      timer = setTimeout(resolve, patienceMs);
    });
    for (const receiver of receivers) this.#ask(receiver, this.#number);
    await over;
    clearTimeout(timer);
    this.#complete = undefined;
    return [...this.#missing];
  }
}
