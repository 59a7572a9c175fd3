/**
 * What a session has to complain about.
 *
 * @module
 */

/** Importance of a notice. */
export type NoticeLevel = "debug" | "warning";

/**
 * Passes a session's notices on: of those that anyone on the network can provoke, the first of each kind, and at the
 * end how many there were (P7).
 */
export class Notices {
  readonly #report: (level: NoticeLevel, text: string, provoked: boolean) => void;
  readonly #provoked = new Map<string, { readonly level: NoticeLevel; count: number }>();

  constructor(report: (level: NoticeLevel, text: string, provoked: boolean) => void) {
    this.#report = report;
  }

  /** Passes a notice on. */
  tell(level: NoticeLevel, text: string): void {
    this.#report(level, text, false);
  }

  /**
   * Notes something that others provoke.
   *
   * @param kind what it is, as it is summed up: "datagrams of others were ignored"
   */
  provoked(level: NoticeLevel, kind: string, text: string): void {
    const known = this.#provoked.get(kind);
    if (known !== undefined) known.count++;
    else {
      this.#provoked.set(kind, { level, count: 1 });
      this.#report(level, text, true);
    }
  }

  /** Sums up what was provoked more than once. */
  sumUp(): void {
    for (const [kind, { level, count }] of this.#provoked) {
      if (count > 1) this.#report(level, `${count} ${kind}`, true);
    }
    this.#provoked.clear();
  }
}
