/**
 * What a server's events are for people: how important, in which words. What comes from the network is escaped here (P8).
 *
 * @module
 */
import { escapeLine, quote } from "../../text/escape.ts";
import { formatRanges } from "../../text/ranges.ts";
import { formatCount, formatDuration, formatSize } from "../../text/units.ts";
import type { DumpRecord, EventOf, RemovedDump, ServerEvent } from "../events.ts";

/** Importance, least first. */
export const levels = ["debug", "info", "warning", "error"] as const;
/** One of {@linkcode levels}. */
export type Level = typeof levels[number];

/** Missing ranges that are named in a line. */
const MOST_RANGES = 8;

/** What a batch of 64 KiB takes of a socket's buffer at MTU 1500 (reference native-datagrams.md, section 2). */
const BATCH_BUFFER_BYTES = 106 * 1024;

/** How important an event is. */
export function levelOf(event: ServerEvent): Level {
  switch (event.event) {
    case "ignored":
    case "receive-failed":
    case "pace":
    case "run":
    case "ship-pending":
      return "debug";
    case "datagrams":
      return isCramped(event) ? "warning" : "info";
    case "notice":
      return event.importance;
    case "refused":
    case "path-refused":
    case "default-path-unusable":
    case "not-ready":
    case "incomplete":
    case "link-failed":
    case "not-resumed":
    case "not-labelled":
    case "reports-dropped":
    case "hooks-left":
    case "manager-unreachable":
    case "ship-problem":
    case "lines-left-out":
    case "stopped-late":
      return "warning";
    case "failed":
    case "receiver-crashed":
    case "distrusted":
      return "error";
    case "header":
      return event.problem === null ? "info" : "warning";
    case "webhook":
      return event.result.result === "delivered" ? "info" : "warning";
    case "hook":
      return event.result.result === "exited" && event.result.status === 0 ? "info" : "warning";
    default:
      return "info";
  }
}

/** Whether anyone on the network can provoke an event: the rate of its lines is bounded (P7). */
export function isProvoked(event: ServerEvent): boolean {
  switch (event.event) {
    case "refused":
    case "ignored":
    case "receive-failed":
    case "path-refused":
    case "default-path-unusable":
    case "empty":
      return true;
    case "notice":
      return event.provoked;
    default:
      return false;
  }
}

/** An event in one line for people. */
export function describeEvent(event: ServerEvent): string {
  switch (event.event) {
    case "listening":
      return `Listening on ${event.addresses.map((address) => `${address}:${event.port}`).join(", ")}`;
    case "directory":
      return describeDirectory(event);
    case "capacity":
      return `There is room for ${formatCount(event.dumps, "dump")} at once` +
        (event.descriptors === null ? "" : `; the process may open ${event.descriptors} files`);
    case "client-setup":
      return `A FreeBSD client needs: ${event.dumpon} (on 13 and later with -i 0 to come before the disk)`;
    case "not-ready":
      return `${event.problem}; ${event.advice}`;
    case "mended":
      return `Well again: ${event.check}`;
    case "ready":
      return "Waiting for clients.";
    case "manager-unreachable":
      return `Cannot tell the service manager at ${
        quote(event.address)
      } (NOTIFY_SOCKET) how the server is: ` +
        escapeLine(event.reason);
    case "datagrams":
      return describeDatagrams(event);
    case "stopping":
      return "Shutting down...";
    case "stopped-late":
      return `Stopped without waiting any longer for ${event.left.map(escapeLine).join(", ")}`;
    case "failed":
      return `Receivers crash again and again: ${quote(event.reason)}`;
    case "refused":
      return event.count > 1
        ? `Refused ${event.count} more HERALDs from ${event.client}: ${escapeLine(event.reason)}`
        : `Refused a HERALD from ${event.client}: ${escapeLine(event.reason)}`;
    case "ignored":
      return `Ignored a datagram from ${event.client} on ${event.local}: ${escapeLine(event.reason)}`;
    case "receive-failed":
      return `Receiving on ${event.local} failed: ${escapeLine(event.reason)}`;
    case "path-refused":
      return `Path ${quote(event.path)} of client ${event.client} cannot be used (${
        escapeLine(event.reason)
      }); ` +
        "its dump goes to the default path";
    case "default-path-unusable":
      return `The default path ${quote(event.path)} cannot be used (${escapeLine(event.reason)}); ` +
        "dumps go to the dump directory itself";
    case "started":
      return `New dump from client ${who(event.dump)} (to ${path(event.dump)})`;
    case "resumed":
      return `Resumed dump from client ${who(event.dump)} (to ${path(event.dump)})`;
    case "header":
      return describeHeader(event);
    case "key":
      return `EKCD key from ${who(event.dump)}: the dump is encrypted`;
    case "progress":
      return `${formatSize(event.dump.receivedBytes)} from ${who(event.dump)} so far, ${rate(event.dump)}`;
    case "pace":
      return describePace(event);
    case "run":
      return `Stored ${formatCount(event.run.messages, "message")} from number ${event.run.seqno} on`;
    case "completed":
      return `Completed dump from client ${who(event.dump)} (${path(event.dump)}): ${extent(event.dump)}`;
    case "incomplete":
      return describeIncomplete(event);
    case "empty":
      return `Client ${event.client} finished without sending data: a check`;
    case "removed":
      return `Removed an old dump of ${escapeLine(event.dump.host)}: ${describeRemoved(event.dump)}`;
    case "link-failed":
      return escapeLine(event.reason);
    case "distrusted":
      return `Receiver ${event.receiver} told of the end of a dump, which is not believed: ${
        escapeLine(event.reason)
      }`;
    case "notice":
      return (event.client === null ? "" : `Client ${event.client}: `) + escapeLine(event.text);
    case "not-resumed":
      return `Cannot take up session ${escapeLine(event.id)}: ${escapeLine(event.reason)}`;
    case "not-labelled":
      return `Cannot label the dump of session ${escapeLine(event.id)}: ${escapeLine(event.reason)}`;
    case "receiver-crashed":
      return `A receiver crashed, its sessions are taken up by another: ${quote(event.reason)}`;
    case "reports-dropped":
      return `Receiver ${event.receiver} left out ${event.count} reports: they came faster than they could be told`;
    case "hook":
      return describeHook(event);
    case "hook-output":
      return `Process ${event.pid} says: ${escapeLine(event.line)}`;
    case "webhook":
      return event.result.result === "delivered"
        ? `The webhook took the dump (status ${event.result.status}, try ${event.result.tries})`
        : `The webhook did not take the dump, tried ${formatCount(event.result.tries, "time")}: ${
          escapeLine(event.result.reason)
        }`;
    case "ship-ready":
      return `Finished dumps are shipped to ${escapeLine(event.bucket)} at ${escapeLine(event.endpoint)}`;
    case "ship-pending":
      return `${formatCount(event.dumps, "dump")} to be shipped`;
    case "shipped":
      return `Shipped ${event.complete ? "" : "incomplete "}dump ${
        escapeLine(`${event.directory}/${event.info}`)
      } ` +
        `(${formatSize(event.bytes)} in ${formatDuration(event.durationMs)}): ${
          escapeLine(event.catalogueKey)
        }`;
    case "ship-problem":
      return `Cannot ship ${event.info === null ? "dumps" : escapeLine(event.info)}: ${
        escapeLine(event.problem)
      }; ` +
        `${event.advice}. It is tried again, and nothing is removed here`;
    case "ship-removed":
      return `Removed ${escapeLine(event.files.join(", "))}, which ${escapeLine(event.catalogueKey)} has`;
    case "hooks-left":
      return `Programs that go on by themselves: ${event.running}; that did not get to run: ${event.waiting}`;
    case "lines-left-out":
      return event.reason === "rate"
        ? `Left out ${formatCount(event.count, "line")}: strangers provoke too many`
        : `Left out ${formatCount(event.count, "line")}: nobody read them, or they could not be written`;
  }
}

function describeDirectory({ directory, freeBytes, minFreeBytes }: EventOf<"directory">): string {
  const facts = [
    ...(freeBytes === null ? [] : [`${formatSize(freeBytes)} are free`]),
    ...(minFreeBytes === null ? [] : [`at least ${formatSize(minFreeBytes)} are kept free`]),
  ];
  return `Dumps go to ${escapeLine(directory)}${facts.length === 0 ? "" : `: ${facts.join(", ")}`}`;
}

function describePace({ receiver, counts }: EventOf<"pace">): string {
  const runs = counts.bursts.reduce((sum, count) => sum + count, 0);
  const meanMs = counts.latencySumS / runs * 1000;
  return `Receiver ${receiver} stored ${formatCount(counts.messages, "message")} in ${
    formatCount(runs, "write")
  }, ` +
    `${(counts.messages / runs).toFixed(1)} at a time, within ${meanMs.toFixed(2)} ms on average`;
}

function describeHeader({ dump, problem }: EventOf<"header">): string {
  const header = dump.kernelDumpHeader;
  const panic = header?.panicString ?? "";
  const what = header === null
    ? ""
    : `: ${escapeLine(header.architecture) || "unknown architecture"}, ${formatSize(header.dumpLength)}, ` +
      (panic === "" ? "no panic string" : `panic ${quote(panic)}`);
  return `KDH from ${who(dump)}${what}` +
    (problem === null ? "" : `; it is not sound: ${escapeLine(problem)}`);
}

function describeIncomplete({ dump, outcome, reason, missing, resumable }: EventOf<"incomplete">): string {
  const what = outcome === "timeout"
    ? `Client ${dump.client} timed out`
    : `Incomplete dump from client ${who(dump)}`;
  const ranges = missing.length === 0 ? "" : `; missing: ${formatRanges(missing.slice(0, MOST_RANGES))}`;
  return `${what} (${path(dump)}): ${escapeLine(reason ?? "")}${ranges}; ${extent(dump)}` +
    (resumable ? "; it goes on if the server is started again in time" : "");
}

function describeRemoved({ files, panic, receivedAt, bytes }: RemovedDump): string {
  const when = receivedAt === null ? "" : `, received ${receivedAt}`;
  const why = panic === "" ? "" : `, panic ${quote(panic)}`;
  return `${escapeLine(files.join(", "))} (${formatSize(bytes)}${when}${why})`;
}

function describeHook({ program, result }: EventOf<"hook">): string {
  switch (result.result) {
    case "exited":
      return `Process ${result.pid} exited with status ${result.status}`;
    case "timed-out":
      return `Process ${result.pid} was ended, it took too long`;
    case "failed":
      return `Cannot run ${quote(program)}: ${escapeLine(result.reason)}`;
  }
}

function extent(dump: DumpRecord): string {
  const saved = dump.savedPackets === 0
    ? ""
    : `; saved ${formatCount(dump.savedPackets, "packet")} that early acks would have lost`;
  return `${formatSize(dump.receivedBytes)} in ${formatDuration(dump.durationMs)}, ${rate(dump)}, ` +
    `${formatCount(dump.resends, "resend")}${saved}`;
}

function who(dump: DumpRecord): string {
  return `${escapeLine(dump.host)} [${dump.client}]`;
}

function path(dump: DumpRecord): string {
  return escapeLine(`${dump.directory}/${dump.core}`);
}

function rate(dump: DumpRecord): string {
  return `${formatSize(Math.round(dump.receivedBytes / Math.max(dump.durationMs, 1) * 1000))}/s`;
}

function describeDatagrams(event: EventOf<"datagrams">): string {
  if (!event.native) return "Datagrams are moved one at a time, by Deno's operations";
  const room = formatSize(event.receiveBufferBytes ?? 0);
  const text =
    `Datagrams are moved many at a time, by the system's library; a socket has room for ${room} of them`;
  return isCramped(event)
    ? `${text}, and a kernel sends ${formatSize(BATCH_BUFFER_BYTES)} at once: raise net.core.rmem_max`
    : text;
}

/** Whether a socket has room for less than two of a kernel's batches. */
function isCramped({ receiveBufferBytes }: EventOf<"datagrams">): boolean {
  return receiveBufferBytes !== null && receiveBufferBytes < 2 * BATCH_BUFFER_BYTES;
}
