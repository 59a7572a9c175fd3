/**
 * What a receiver reports, as the event that observers get. What the main thread has to decide on first is not here: whether a finished
 * dump is believed, what becomes of a refused session.
 *
 * @module
 */
import type { ServerEvent } from "./events.ts";
import type { Report } from "./orders.ts";

/**
 * The event of a report.
 *
 * @param clientOf address of a session's client, if the session is known
 * @returns `undefined` for a report that is none by itself
 */
export function eventOf(
  report: Report,
  receiver: number,
  clientOf: (id: string) => string | undefined,
): ServerEvent | undefined {
  switch (report.report) {
    case "path-refused": {
      const { path, reason } = report;
      return { event: "path-refused", client: clientOf(report.id) ?? "", path, reason };
    }
    case "default-path-unusable":
      return { event: "default-path-unusable", path: report.path, reason: report.reason };
    case "started":
      return { event: report.resumed ? "resumed" : "started", dump: report.dump };
    case "header":
      return { event: "header", dump: report.dump, problem: report.problem };
    case "key":
    case "progress":
      return { event: report.report, dump: report.dump };
    case "pace":
      return { event: "pace", receiver, counts: report.counts };
    case "run":
      return { event: "run", run: report.run };
    case "empty":
      return { event: "empty", id: report.id, client: clientOf(report.id) ?? "" };
    case "removed":
      return { event: "removed", dump: report.dump };
    case "notice": {
      const { id, level, provoked, text } = report;
      const client = id === null ? null : clientOf(id) ?? null;
      return { event: "notice", id, client, importance: level, provoked, text };
    }
    case "dropped":
      return { event: "reports-dropped", receiver, count: report.count };
    default:
      return undefined;
  }
}
