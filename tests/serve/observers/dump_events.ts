/** Events of dumps, for tests of observers. */
import type { DumpRecord, EventOf } from "../../../lib/serve/events.ts";

/** A dump's record. */
export function dumpRecord(special: Partial<DumpRecord> = {}): DumpRecord {
  return {
    id: "a",
    client: "192.0.2.7",
    local: "192.0.2.1",
    port: 40000,
    host: "w1",
    hostName: "w1.example.org",
    index: 0,
    directory: ".",
    info: "info.w1.0",
    core: "vmcore.w1.0",
    header: "kdh.w1.0",
    key: null,
    kernelDumpHeader: null,
    encrypted: false,
    receivedBytes: 0,
    messages: 0,
    resends: 0,
    savedPackets: 0,
    durationMs: 0,
    ...special,
  };
}

/** The event of a dump that came whole. */
export function completed(special: Partial<DumpRecord> = {}): EventOf<"completed"> {
  return {
    event: "completed",
    dump: dumpRecord(special),
    outcome: "success",
    complete: true,
    reason: null,
    missing: [],
    resumable: false,
  };
}

/** The event of a dump that did not. */
export function incomplete(
  special: Partial<DumpRecord> = {},
  facts: Partial<EventOf<"incomplete">> = {},
): EventOf<"incomplete"> {
  return {
    event: "incomplete",
    dump: dumpRecord(special),
    outcome: "timeout",
    complete: false,
    reason: "the client fell silent",
    missing: [{ start: 0, end: 4096 }],
    resumable: false,
    ...facts,
  };
}
