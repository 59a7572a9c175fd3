/**
 * What no event says: how the server is at this moment, to be read only.
 *
 * @module
 */

/** A look at the server. */
export interface ServerView {
  /** Sessions by stage. */
  readonly sessions: Readonly<Record<"heralded" | "data" | "finished", number>>;
  readonly mostSessions: number;
  /** Receivers that run. */
  readonly receivers: number;
  /** Local addresses that HERALDs are taken on, and the port. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly directory: string;
  /** Room in bytes where dumps go, `null` if the system does not tell. */
  readonly room: {
    readonly freeBytes: number;
    readonly keptBytes: number;
    readonly totalBytes: number;
  } | null;
  /** How many files the process may open, `null` if the system does not tell. */
  readonly descriptors: number | null;
}

/** What a check of readiness found, or what keeps dumps from being shipped. */
export interface Weakness {
  readonly check: string;
  readonly problem: string;
  readonly advice: string;
  /** No dump would be taken now. */
  readonly blocks: boolean;
}
