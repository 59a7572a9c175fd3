/**
 * The sessions there are, as the main thread knows them, and the list on disk of those that have no data, and so no
 * journal, yet.
 *
 * @module
 */
import type { AdmittedSession } from "./admission.ts";
import type { SessionIdentity } from "./session/journal.ts";
import type { StateDirectory } from "./store/state_directory.ts";

/** A session, and where it lives. */
export interface TableEntry extends AdmittedSession {
  identity: SessionIdentity;
  /** Number of the receiver that has it. */
  readonly receiver: number;
  stage: AdmittedSession["stage"];
  /** Has a socket and is on disk. */
  open: boolean;
}

/** All sessions. */
export class SessionTable {
  readonly #state: StateDirectory;
  readonly #entries = new Map<string, TableEntry>();
  /** Sessions in the list on disk. */
  #listed = new Set<string>();

  constructor(state: StateDirectory) {
    this.#state = state;
  }

  /** Adds a session that is not open yet. */
  add(identity: SessionIdentity, stage: TableEntry["stage"], receiver: number): TableEntry {
    const { id, client, local, path, heraldSeqno } = identity;
    const admittedMs = performance.now();
    const entry: TableEntry = {
      ...{ id, client, local, path, heraldSeqno, admittedMs },
      ...{ identity, receiver, stage, open: false },
    };
    this.#entries.set(id, entry);
    return entry;
  }

  /** A session, `undefined` if it is over. */
  get(id: string): TableEntry | undefined {
    return this.#entries.get(id);
  }

  /** Forgets a session. */
  remove(id: string): void {
    this.#entries.delete(id);
  }

  /** All sessions, or those of one receiver. */
  entries(receiver?: number): TableEntry[] {
    return [...this.#entries.values()].filter((entry) =>
      receiver === undefined || entry.receiver === receiver
    );
  }

  /** Whether the list on disk has a session. */
  isListed(id: string): boolean {
    return this.#listed.has(id);
  }

  /**
   * Writes the list.
   *
   * @throws the file system's error; then the list is what it was before
   */
  writeList(): void {
    const heralded = this.entries().filter(({ stage, identity }) =>
      stage === "heralded" && identity.port !== 0
    );
    this.#state.writeHeralds(heralded.map(({ identity }) => identity));
    this.#listed = new Set(heralded.map(({ id }) => id));
  }
}
