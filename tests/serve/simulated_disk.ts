/**
 * The files of one dump in memory, as a server that may be killed at any step leaves them: within a write, a part of
 * it is there.
 *
 * @module
 */
import { type JournalHead, journalLine, type JournalRecord } from "../../lib/serve/session/journal.ts";

/** The server was killed. */
export class Killed extends Error {}

const HEAD: JournalHead = {
  format: 2,
  session: {
    id: "s",
    client: "192.0.2.7",
    local: "192.0.2.1",
    port: 40000,
    heraldSeqno: 1,
    path: null,
    startedMs: 0,
  },
};
const PLACE: JournalRecord = { place: { directory: ".", host: "w1" }, hostName: null };

/** Core, header, key and journal. */
export class SimulatedDisk {
  /** The core file; what was never written is 0. */
  readonly core: Uint8Array;
  readonly #files = new Map<"header" | "key", Uint8Array>();
  #journal = "";
  readonly #random: () => number;
  readonly #kill: number;

  /** @param kill chance to be killed at each step */
  constructor(core: Uint8Array, random: () => number, kill = 0) {
    this.core = core;
    this.#random = random;
    this.#kill = kill;
  }

  /** A place where the server may be killed. */
  step(): void {
    if (this.#kill > 0 && this.#random() < this.#kill) throw new Killed();
  }

  /** Creates the dump's files, if they are not there. */
  create(): void {
    if (this.#journal === "") this.rewriteJournal([]);
  }

  writeCore(offset: number, bytes: Uint8Array): void {
    this.#stepWithin((part) => this.core.set(bytes.subarray(0, part * bytes.byteLength), offset));
    this.core.set(bytes, offset);
  }

  /** A file beside the core; empty if there is none. */
  file(name: "header" | "key"): Uint8Array {
    return this.#files.get(name) ?? new Uint8Array();
  }

  write(name: "header" | "key", offset: number, bytes: Uint8Array): void {
    this.step();
    const before = this.file(name);
    const after = new Uint8Array(Math.max(before.byteLength, offset + bytes.byteLength));
    after.set(before);
    after.set(bytes, offset);
    this.#files.set(name, after);
  }

  append(record: JournalRecord): void {
    const line = journalLine(record);
    this.#stepWithin((part) => this.#journal += line.slice(0, part * line.length));
    this.#journal += line;
  }

  /** Puts a short journal in place of the long one, atomically. */
  rewriteJournal(records: readonly JournalRecord[]): void {
    this.#journal = [HEAD, PLACE, { index: 0 }, ...records].map(journalLine).join("");
  }

  /** The journal after a kill, empty if there is none: a line that was cut off is cut off for good. */
  reopenJournal(): string {
    this.#journal = this.#journal.slice(0, this.#journal.lastIndexOf("\n") + 1);
    return this.#journal;
  }

  #stepWithin(leavePart: (part: number) => void): void {
    try {
      this.step();
    } catch (error) {
      leavePart(this.#random());
      throw error;
    }
  }
}
