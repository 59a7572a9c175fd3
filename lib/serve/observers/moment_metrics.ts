/**
 * Metrics of what holds when Prometheus asks: nothing of it is counted.
 *
 * @module
 */
import { type Family, gauge } from "./exposition.ts";
import type { ServerView, Weakness } from "./server_view.ts";

/** What a scrape is made of besides what was counted. */
export interface Moment {
  readonly view: ServerView;
  readonly weaknesses: readonly Weakness[];
}

/** The families of what is true at a moment. */
export function momentFamilies({ view, weaknesses }: Moment): Family[] {
  const { sessions, mostSessions, receivers, addresses, room, descriptors } = view;
  const stages = Object.entries(sessions).map(([stage, value]) => ({ labels: { stage }, value }));
  return [
    gauge("netdump_sessions", "Sessions, by stage.", stages),
    gauge("netdump_sessions_limit", "Most sessions at once.", mostSessions),
    gauge("netdump_receivers", "Receiver threads that run.", receivers),
    gauge("netdump_listening_addresses", "Local addresses that HERALDs are taken on.", addresses.length),
    ...(room === null ? [] : [
      gauge("netdump_directory_free_bytes", "Bytes that are free where dumps go.", room.freeBytes),
      gauge("netdump_directory_size_bytes", "Size of the file system that dumps go to.", room.totalBytes),
      gauge("netdump_directory_reserved_bytes", "Bytes to be kept free (--min-free).", room.keptBytes),
    ]),
    ...(descriptors === null
      ? []
      : [gauge("netdump_descriptors_limit", "Files that the process may open.", descriptors)]),
    gauge(
      "netdump_ready",
      "1 if a dump would be taken now.",
      weaknesses.some(({ blocks }) => blocks) ? 0 : 1,
    ),
    gauge(
      "netdump_readiness_problems",
      "1 for each check of readiness that found something, as the log says.",
      weaknesses.map(({ check }) => ({ labels: { check }, value: 1 })),
    ),
  ];
}
