/**
 * The sessions there are, as the main thread knows them.
 *
 * @module
 */
import type { AdmittedSession, Sessions } from "./admission.ts";
import type { SessionActivity } from "./orders.ts";
import type { SessionIdentity } from "./session/journal.ts";

/** A session, and where it lives. */
export interface TableEntry extends AdmittedSession {
  identity: SessionIdentity;
  /** Number of the receiver that has it, and of the file system that it writes to. */
  readonly receiver: number;
  readonly device: number;
  stage: AdmittedSession["stage"];
  heardMs: number;
  progressMs: number;
  receivedBytes: number;
  isLeaving: boolean;
}

/** All sessions. */
export class SessionTable implements Sessions {
  readonly #entries = new Map<string, TableEntry>();
  readonly #byClient = new Map<string, TableEntry[]>();

  /** Adds a session. */
  add(
    identity: SessionIdentity,
    place: Pick<TableEntry, "stage" | "receiver" | "device">,
    nowMs: number,
  ): TableEntry {
    const { id, client, local, path, heraldSeqno } = identity;
    const entry: TableEntry = {
      ...{ id, client, local, path, heraldSeqno, identity, ...place },
      ...{ admittedMs: nowMs, heardMs: nowMs, progressMs: nowMs, receivedBytes: 0, isLeaving: false },
    };
    this.#entries.set(id, entry);
    this.#byClient.set(client, [...this.of(client), entry]);
    return entry;
  }

  /** A session, `undefined` if it is over. */
  get(id: string): TableEntry | undefined {
    return this.#entries.get(id);
  }

  /** Forgets a session. */
  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    const others = this.of(entry.client).filter((other) => other !== entry);
    if (others.length > 0) this.#byClient.set(entry.client, others);
    else this.#byClient.delete(entry.client);
  }

  /** Notes how a session gets on. */
  note({ id, silentMs, barrenMs, receivedBytes }: SessionActivity, nowMs: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.heardMs = nowMs - silentMs;
    entry.progressMs = nowMs - barrenMs;
    entry.receivedBytes = receivedBytes;
  }

  /** Number of sessions. */
  get size(): number {
    return this.#entries.size;
  }

  /** The sessions of a client's address. */
  of(client: string): TableEntry[] {
    return this.#byClient.get(client) ?? [];
  }

  /** All sessions. */
  all(): TableEntry[] {
    return [...this.#entries.values()];
  }

  /** Those of one receiver. */
  entries(receiver: number): TableEntry[] {
    return this.all().filter((entry) => entry.receiver === receiver);
  }
}
