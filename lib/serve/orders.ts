/**
 * What the supervisor and its receivers say to each other. Plain data: it crosses threads by structured clone.
 *
 * @module
 */
import type { DumpRecord, FinishedDump, PaceCounts, RemovedDump, StoredRun } from "./events.ts";
import type { SessionIdentity } from "./session/journal.ts";
import type { MinFree } from "./store/space.ts";

/** What all sessions of a receiver share; its first message. */
export interface ReceiverSettings {
  /** Real path of the dump directory. */
  readonly root: string;
  /** Default path below it, as given by the operator. */
  readonly defaultPath: string;
  readonly ackPort: number;
  readonly timeoutMs: number;
  readonly lingerMs: number;
  /** Most bytes of a dump; `null` for what the disk has room for. */
  readonly mostBytes: number | null;
  /** What is to be kept free of each disk. */
  readonly minFree: MinFree;
  /** A local address on which the system library's way to move datagrams is tried; `null` for Deno's operations only. */
  readonly native: string | null;
  /** Each run is reported. */
  readonly trace: boolean;
  /** Complete dumps to keep of each client; `null` for all. */
  readonly keep: number | null;
}

/** A client's name. */
export interface ClientName {
  /** Part of file names. */
  readonly label: string;
  /** Full name in DNS, `null` if there is none. */
  readonly hostName: string | null;
}

/** What the supervisor tells a receiver. */
export type Order =
  | { readonly order: "start"; readonly settings: ReceiverSettings }
  /** Open a session: a socket on any port, a journal, an ack of its HERALD. */
  | { readonly order: "open"; readonly session: SessionIdentity }
  /** The HERALD of a session came again. */
  | { readonly order: "ack-herald"; readonly id: string }
  | { readonly order: "name"; readonly id: string; readonly name: ClientName }
  /** Take up a session from its journal. */
  | { readonly order: "resume"; readonly id: string }
  /** Label the dump of a session that cannot go on, and forget the session. */
  | { readonly order: "give-up"; readonly id: string; readonly reason: string }
  /** End a session to make room: what it has is labelled. */
  | { readonly order: "evict"; readonly id: string }
  /** So many reports have been taken: there is room for as many more. */
  | { readonly order: "taken"; readonly reports: number }
  /** Are you there? It is answered by `alive`. */
  | { readonly order: "ping"; readonly number: number }
  | { readonly order: "stop" };

/** How a session gets on, for whoever decides which gives way. */
export interface SessionActivity {
  readonly id: string;
  /** Ms since a message of its client came, and since one brought bytes that were new. */
  readonly silentMs: number;
  readonly barrenMs: number;
  readonly receivedBytes: number;
}

/** What a receiver tells the supervisor. */
export type Report =
  /** A session has a socket and a journal. */
  | { readonly report: "opened"; readonly id: string; readonly port: number }
  /** The session could not be opened; its HERALD stays unanswered. */
  | { readonly report: "refused"; readonly id: string; readonly reason: string }
  /** A client's path is not used; the default path is. */
  | { readonly report: "path-refused"; readonly id: string; readonly path: string; readonly reason: string }
  /** The default path is not used either; the dump directory itself is. */
  | { readonly report: "default-path-unusable"; readonly path: string; readonly reason: string }
  /** First data; the dump has files now. */
  | { readonly report: "started"; readonly dump: DumpRecord; readonly resumed: boolean }
  | { readonly report: "header"; readonly dump: DumpRecord; readonly problem: string | null }
  | { readonly report: "key"; readonly dump: DumpRecord }
  | { readonly report: "progress"; readonly dump: DumpRecord }
  | { readonly report: "activity"; readonly sessions: readonly SessionActivity[] }
  | { readonly report: "pace"; readonly counts: PaceCounts }
  | { readonly report: "run"; readonly run: StoredRun }
  | ({ readonly report: "finished" } & FinishedDump)
  /** FINISHED without data. */
  | { readonly report: "empty"; readonly id: string }
  | { readonly report: "removed"; readonly dump: RemovedDump }
  /** Something to be logged. */
  | {
    readonly report: "notice";
    readonly level: "debug" | "warning";
    readonly id: string | null;
    readonly provoked: boolean;
    readonly text: string;
  }
  /** A session that cannot go on could not be labelled; its journal stays. */
  | { readonly report: "not-labelled"; readonly id: string; readonly reason: string }
  /** So many reports of little weight found no room. */
  | { readonly report: "dropped"; readonly count: number }
  /** It takes orders now: how datagrams are moved, and what room sockets have for them, if that is known. */
  | { readonly report: "ready"; readonly native: boolean; readonly receiveBufferBytes: number | null }
  | { readonly report: "closed"; readonly id: string }
  | { readonly report: "alive"; readonly number: number }
  | { readonly report: "stopped" };

/** A dump that has ended, one way or another. */
export type FinishedReport = Extract<Report, { report: "finished" }>;
