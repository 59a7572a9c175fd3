/**
 * What the supervisor and its receivers say to each other. Plain data: it crosses threads by structured clone.
 *
 * @module
 */
import type { KernelDumpHeader } from "../kerneldump/files/header.ts";
import type { LinkRequest } from "./store/dump_files.ts";
import type { Range } from "./session/extents.ts";
import type { SessionIdentity } from "./session/journal.ts";

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
  /** Disk space to keep free, in bytes. */
  readonly minFreeBytes: number;
  /** Complete dumps to keep per host; `null` for all. */
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
  /** Open a socket for a new session; with a port other than 0, that very port. */
  | { readonly order: "open"; readonly session: SessionIdentity }
  /** The session is on disk: ack its HERALD, now and whenever this comes again. */
  | { readonly order: "ack-herald"; readonly id: string }
  | { readonly order: "name"; readonly id: string; readonly name: ClientName }
  /** Take up a session from its journal. */
  | { readonly order: "resume"; readonly id: string }
  | { readonly order: "linked"; readonly request: number; readonly error: string | null }
  /** Close a session that has no data, or is finished, to make room. */
  | { readonly order: "evict"; readonly id: string }
  | { readonly order: "stop" };

/** How a dump ended. */
export type Outcome = "success" | "timeout" | "error";

/** All that is worth telling about a dump; what logs, hooks and JSON are made from. Strings are unfiltered. */
export interface DumpRecord {
  readonly id: string;
  readonly client: string;
  readonly local: string;
  readonly port: number;
  readonly host: string;
  readonly hostName: string | null;
  readonly index: number;
  /** Path of the dump's directory below the dump directory, `.` for itself. */
  readonly directory: string;
  readonly info: string;
  readonly core: string;
  readonly header: string | null;
  readonly key: string | null;
  readonly kernelDumpHeader: KernelDumpHeader | null;
  readonly encrypted: boolean;
  /** Distinct bytes of the core. */
  readonly receivedBytes: number;
  readonly messages: number;
  readonly resends: number;
  /** Packets that only came because acks were held (P4). */
  readonly savedPackets: number;
  readonly durationMs: number;
}

/** What a receiver tells the supervisor. */
export type Report =
  | { readonly report: "opened"; readonly id: string; readonly port: number }
  /** The session could not be opened; its HERALD stays unanswered. */
  | { readonly report: "refused"; readonly id: string; readonly reason: string }
  /** A client's path is not used; the default path is. */
  | { readonly report: "path-refused"; readonly id: string; readonly path: string; readonly reason: string }
  /** First data; the dump has files now. */
  | { readonly report: "started"; readonly dump: DumpRecord; readonly resumed: boolean }
  | { readonly report: "header"; readonly dump: DumpRecord; readonly problem: string | null }
  | { readonly report: "key"; readonly dump: DumpRecord }
  | { readonly report: "progress"; readonly dump: DumpRecord }
  | {
    readonly report: "finished";
    readonly dump: DumpRecord;
    readonly outcome: Outcome;
    readonly complete: boolean;
    readonly reason: string | null;
    /** Missing ranges of the core, at most 64 of them. */
    readonly missing: readonly Range[];
    /** The session may be taken up by the next server. */
    readonly resumable: boolean;
  }
  /** FINISHED without data. */
  | { readonly report: "empty"; readonly id: string }
  | { readonly report: "removed"; readonly files: readonly string[] }
  | { readonly report: "link"; readonly request: number; readonly link: LinkRequest }
  /** Something to be logged. */
  | {
    readonly report: "notice";
    readonly level: "debug" | "warning";
    readonly id: string | null;
    readonly text: string;
  }
  | { readonly report: "closed"; readonly id: string }
  | { readonly report: "stopped" };

/** A dump that has ended, one way or another. */
export type FinishedReport = Extract<Report, { report: "finished" }>;
