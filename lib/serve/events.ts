/**
 * All that a server tells: one union of tagged values. Whoever wants to know (log, hook, metrics, ...) observes it; nobody
 * who does the work words anything. With `--log-format json` a line is an event itself.
 *
 * @module
 */
import type { KernelDumpHeader } from "../kerneldump/files/header.ts";
import type { RefusalCause } from "./admission.ts";
import type { Range } from "./session/extents.ts";
import type { RemovedDump } from "./store/retention.ts";

export type { RemovedDump };

/** How a dump ended. */
export type Outcome = "success" | "timeout" | "error";

/** All that is worth telling about a dump. Strings are unfiltered. */
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

/** How a dump ended, and what is missing of it. */
export interface FinishedDump {
  readonly dump: DumpRecord;
  readonly outcome: Outcome;
  readonly complete: boolean;
  /** Why it is not complete. */
  readonly reason: string | null;
  /** Missing ranges of the core, at most 64 of them. */
  readonly missing: readonly Range[];
  /** The session may be taken up by the next server. */
  readonly resumable: boolean;
}

/** What became of a run of the hook. */
export type HookResult =
  | {
    readonly result: "exited";
    readonly pid: number;
    readonly status: number;
    readonly signal: string | null;
  }
  | { readonly result: "timed-out"; readonly pid: number }
  | { readonly result: "failed"; readonly reason: string };

/** What became of a post to the webhook. */
export type WebhookResult =
  | { readonly result: "delivered"; readonly tries: number; readonly status: number }
  | { readonly result: "failed"; readonly tries: number; readonly reason: string };

/** A run of messages that was stored together. */
export interface StoredRun {
  readonly id: string;
  /** Unix time in ms. */
  readonly atMs: number;
  /** Of its first message. */
  readonly seqno: number;
  readonly messages: number;
  readonly offset: number;
  readonly bytes: number;
  /** Acks that are due now; those of other messages are held (P4). */
  readonly acks: number;
  /** From its first message until it was written, and for the write and its line in the journal. */
  readonly gatherMs: number;
  readonly storeMs: number;
}

/** Upper bounds of the messages of a run, as {@linkcode PaceCounts} counts them. */
export const BURST_BOUNDS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128];
/** Upper bounds of the seconds until a run was stored. */
export const LATENCY_BOUNDS_S: readonly number[] = [
  ...[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
];

/** Runs of a while, by their messages and their latency; the last of each count those above all bounds. */
export interface PaceCounts {
  readonly bursts: readonly number[];
  readonly messages: number;
  readonly latencies: readonly number[];
  readonly latencySumS: number;
}

/** Everything that a server tells. */
export type ServerEvent =
  | { readonly event: "listening"; readonly addresses: readonly string[]; readonly port: number }
  | {
    readonly event: "directory";
    readonly directory: string;
    readonly freeBytes: number | null;
    readonly minFreeBytes: number | null;
  }
  | { readonly event: "capacity"; readonly dumps: number; readonly descriptors: number | null }
  | { readonly event: "client-setup"; readonly dumpon: string }
  | {
    readonly event: "not-ready";
    readonly check: string;
    readonly problem: string;
    readonly advice: string;
    /** No dump would be taken now. */
    readonly blocks: boolean;
  }
  | { readonly event: "mended"; readonly check: string }
  | { readonly event: "ready" }
  | { readonly event: "manager-unreachable"; readonly address: string; readonly reason: string }
  | { readonly event: "datagrams"; readonly native: boolean; readonly receiveBufferBytes: number | null }
  | { readonly event: "stopping" }
  | { readonly event: "stopped-late"; readonly left: readonly string[] }
  | { readonly event: "failed"; readonly reason: string }
  | {
    readonly event: "refused";
    readonly client: string;
    readonly cause: RefusalCause | "disk-full" | "client-port" | "files";
    readonly reason: string;
    /** HERALDs refused alike, if more than this one are summed up. */
    readonly count: number;
  }
  | { readonly event: "ignored"; readonly client: string; readonly local: string; readonly reason: string }
  | { readonly event: "receive-failed"; readonly local: string; readonly reason: string }
  | {
    readonly event: "path-refused";
    readonly client: string;
    readonly path: string;
    readonly reason: string;
  }
  | { readonly event: "default-path-unusable"; readonly path: string; readonly reason: string }
  | { readonly event: "started"; readonly dump: DumpRecord }
  | { readonly event: "resumed"; readonly dump: DumpRecord }
  | { readonly event: "header"; readonly dump: DumpRecord; readonly problem: string | null }
  | { readonly event: "key"; readonly dump: DumpRecord }
  | { readonly event: "progress"; readonly dump: DumpRecord }
  | { readonly event: "pace"; readonly receiver: number; readonly counts: PaceCounts }
  | { readonly event: "run"; readonly run: StoredRun }
  | ({ readonly event: "completed" } & FinishedDump)
  | ({ readonly event: "incomplete" } & FinishedDump)
  | { readonly event: "empty"; readonly id: string; readonly client: string }
  | { readonly event: "removed"; readonly dump: RemovedDump }
  | { readonly event: "link-failed"; readonly id: string; readonly reason: string }
  | { readonly event: "distrusted"; readonly id: string; readonly receiver: number; readonly reason: string }
  | {
    readonly event: "notice";
    readonly id: string | null;
    readonly client: string | null;
    readonly importance: "debug" | "warning";
    /** Anyone on the network can provoke it. */
    readonly provoked: boolean;
    readonly text: string;
  }
  | { readonly event: "not-resumed"; readonly id: string; readonly reason: string }
  | { readonly event: "not-labelled"; readonly id: string; readonly reason: string }
  | { readonly event: "receiver-crashed"; readonly receiver: number; readonly reason: string }
  | { readonly event: "reports-dropped"; readonly receiver: number; readonly count: number }
  | { readonly event: "hook"; readonly id: string; readonly program: string; readonly result: HookResult }
  | {
    readonly event: "hook-output";
    readonly id: string;
    readonly pid: number;
    readonly stream: "stdout" | "stderr";
    readonly line: string;
  }
  | { readonly event: "webhook"; readonly id: string; readonly result: WebhookResult }
  | {
    readonly event: "ship-ready";
    readonly endpoint: string;
    readonly bucket: string;
    readonly collector: string;
  }
  | {
    readonly event: "shipped";
    readonly directory: string;
    readonly info: string;
    readonly complete: boolean;
    readonly catalogueKey: string;
    /** Of all its files; and what of them was not in the store already. */
    readonly bytes: number;
    readonly sentBytes: number;
    readonly durationMs: number;
  }
  | { readonly event: "ship-pending"; readonly dumps: number }
  | {
    readonly event: "ship-problem";
    /** The dump it is about; `null` if it is about the store. */
    readonly info: string | null;
    readonly failure: string;
    readonly problem: string;
    readonly advice: string;
  }
  | {
    readonly event: "ship-removed";
    readonly directory: string;
    readonly files: readonly string[];
    readonly catalogueKey: string;
  }
  | { readonly event: "hooks-left"; readonly running: number; readonly waiting: number }
  | { readonly event: "lines-left-out"; readonly count: number; readonly reason: "rate" | "reader" };

/** An event's name. */
export type EventName = ServerEvent["event"];

/** The event of a name. */
export type EventOf<Name extends EventName> = Extract<ServerEvent, { event: Name }>;

/** Where events go. Observers never throw and never wait. */
export type Observe = (event: ServerEvent) => void;

/** What each event means: docs/events.md is made from this. */
export const EVENT_MEANINGS: Readonly<Record<EventName, string>> = {
  "listening": "The server listens on these addresses; again for each that the machine gets later",
  "directory": "Where dumps go, what is free there and what is kept free",
  "capacity":
    "For how many dumps at once there is room, by the limits and the descriptors the process may open",
  "client-setup": "The command that a FreeBSD client needs",
  "not-ready": "A check of readiness found what would make a dump fail, and what to do about it",
  "mended": "What a check of readiness had found is well again",
  "ready": "The server waits for clients",
  "manager-unreachable": "The service manager that NOTIFY_SOCKET names cannot be told anything",
  "datagrams": "How datagrams are moved: many in one system call, or by Deno's operations, one at a time",
  "stopping": "A signal asked it to stop",
  "stopped-late": "The time for stopping is over; what was left is named",
  "failed": "Receivers crash again and again, the server ends",
  "refused": "A HERALD is left unanswered; identical refusals of a client are summed up",
  "ignored": "A datagram on the HERALD port is no HERALD",
  "receive-failed": "A receive on the HERALD port failed",
  "path-refused": "The path that a client asks for cannot be used, its dump goes to the default path",
  "default-path-unusable": "The default path cannot be used, the dump goes to the dump directory itself",
  "started": "First data came, the dump has files",
  "resumed": "A dump that an earlier server or receiver had begun goes on",
  "header": "The kernel dump header came",
  "key": "A key came, so the dump is encrypted",
  "progress": "How far a running dump is, every ten seconds",
  "pace": "How many messages a receiver stored together and how quickly, every two seconds while it does",
  "run": "Messages that were stored together; only --trace has them, and no log",
  "completed": "A dump is complete and final",
  "incomplete": "A dump ended without being complete, it is labelled and kept",
  "empty": "A client finished without sending data, as a check does",
  "removed": "--keep removed an old dump",
  "link-failed": "The links to the newest dump could not be made; the dump itself is complete",
  "distrusted": "A receiver named files that no dump of its has; no link was made and no program run",
  "notice": "Something about a session that is worth a line",
  "not-resumed": "The journal of a session cannot be read; it stays and is tried again",
  "not-labelled": "A dump that cannot go on could not be labelled; its journal stays and it is tried again",
  "receiver-crashed": "A receiver crashed, another takes up its sessions",
  "reports-dropped": "A receiver had more to tell than there was room for",
  "hook": "The program of --exec ended, or could not run",
  "hook-output": "A line that the program of --exec printed",
  "webhook": "A dump was posted to the URL of --webhook, or could not be",
  "ship-ready": "The bucket of --ship can be listed, written to and read from; again after a problem",
  "shipped": "A dump is in the store with its catalogue entry, sizes and sums compared",
  "ship-pending": "So many dumps are to be shipped; told when it changes",
  "ship-problem":
    "What keeps dumps from being shipped, and what to do about it; they stay and are tried again",
  "ship-removed": "--ship-keep removed local files of a dump that is in the store",
  "hooks-left": "Programs that were still running or waiting when the server stopped",
  "lines-left-out":
    "Lines that were left out of the log: too many that strangers provoke, or its reader was too slow",
};
