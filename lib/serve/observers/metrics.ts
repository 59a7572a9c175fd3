/**
 * Counts what a server tells, for Prometheus. No host name, address or panic is a label: whoever can send a datagram would
 * make series without end (P7).
 *
 * @module
 */
import { BURST_BOUNDS, type DumpRecord, LATENCY_BOUNDS_S, type ServerEvent } from "../events.ts";
import { type Family, formatExposition, type HistogramCounts, type Sample } from "./exposition.ts";
import type { ServerView, Weakness } from "./server_view.ts";

/** Running dumps whose last figures are kept; of more than these only the ends count. */
const MOST_RUNNING = 4096;
const DURATION_BOUNDS_S = [1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10_800];
const SIZE_BOUNDS_BYTES = [2 ** 20, 2 ** 24, 2 ** 28, 2 ** 30, 2 ** 32, 2 ** 34, 2 ** 36, 2 ** 38];

/** What is known when the server starts. */
export interface MetricsFacts {
  readonly version: string;
  readonly deno: string;
  /** Unix time in seconds. */
  readonly startedS: number;
}

/** What a scrape is made of besides what was counted. */
export interface Moment {
  readonly view: ServerView;
  readonly weaknesses: readonly Weakness[];
}

/** Figures that only grow, of one dump or of all. */
interface Figures {
  receivedBytes: number;
  messages: number;
  resends: number;
  savedPackets: number;
}

/** Everything that is counted. */
export class Metrics {
  readonly #facts: MetricsFacts;
  readonly #running = new Map<string, Figures>();
  readonly #sums: Figures = nothing();
  readonly #dumps = new Tally("complete", "incomplete", "timeout", "empty");
  readonly #refused = new Tally(
    ...["not-allowed", "client-limit", "session-limit", "rate", "disk-full", "client-port", "files"],
  );
  readonly #hooks = new Tally("success", "failure", "timeout", "not-run");
  readonly #webhooks = new Tally("delivered", "failed");
  readonly #counts = new Tally(
    ...["crashes", "dropped", "ignored", "removed", "resumed", "distrusted"],
    ...["shipped", "shippedBytes", "shipProblems", "shipRemoved"],
  );
  readonly #durations = new Histogram(DURATION_BOUNDS_S);
  readonly #bursts = new Histogram(BURST_BOUNDS);
  readonly #latencies = new Histogram(LATENCY_BOUNDS_S);
  readonly #sizes = new Histogram(SIZE_BOUNDS_BYTES);
  /** Whether the system's library moves datagrams; not known before receivers have tried it. */
  #isNative: boolean | undefined;
  /** Whether the bucket of --ship took the last thing; not known before it was tried. */
  #isShipping: boolean | undefined;
  /** Dumps to be shipped; not known before the outbox was looked at. */
  #pending: number | undefined;

  constructor(facts: MetricsFacts) {
    this.#facts = facts;
  }

  /** Counts an event. */
  observe(event: ServerEvent): void {
    switch (event.event) {
      case "started":
        this.#follow(event.dump, nothing());
        return;
      case "resumed":
        this.#counts.add("resumed");
        // What an earlier server had received was counted by that one.
        this.#follow(event.dump, figuresOf(event.dump));
        return;
      case "header":
      case "key":
      case "progress":
        this.#follow(event.dump);
        return;
      case "completed":
      case "incomplete":
        this.#follow(event.dump);
        this.#running.delete(event.dump.id);
        if (event.resumable) return;
        this.#dumps.add(event.complete ? "complete" : event.outcome === "timeout" ? "timeout" : "incomplete");
        this.#durations.add(event.dump.durationMs / 1000);
        this.#sizes.add(event.dump.receivedBytes);
        return;
      case "distrusted":
        this.#running.delete(event.id);
        this.#counts.add("distrusted");
        return;
      case "empty":
        this.#dumps.add("empty");
        return;
      case "refused":
        this.#refused.add(event.cause, event.count);
        return;
      case "ignored":
        this.#counts.add("ignored");
        return;
      case "removed":
        this.#counts.add("removed");
        return;
      case "receiver-crashed":
        this.#counts.add("crashes");
        return;
      case "reports-dropped":
        this.#counts.add("dropped", event.count);
        return;
      case "datagrams":
        this.#isNative = event.native;
        return;
      case "hook":
        this.#hooks.add(hookOutcome(event.result));
        return;
      case "pace":
        this.#bursts.addAll(event.counts.bursts, event.counts.messages);
        this.#latencies.addAll(event.counts.latencies, event.counts.latencySumS);
        return;
      case "ship-ready":
        this.#isShipping = true;
        return;
      case "ship-pending":
        this.#pending = event.dumps;
        return;
      case "shipped":
        this.#isShipping = true;
        this.#counts.add("shipped");
        this.#counts.add("shippedBytes", event.sentBytes);
        return;
      case "ship-problem":
        this.#counts.add("shipProblems");
        if (event.info === null) this.#isShipping = false;
        return;
      case "ship-removed":
        this.#counts.add("shipRemoved");
        return;
      case "webhook":
        this.#webhooks.add(event.result.result);
        return;
      default:
        return;
    }
  }

  /** What Prometheus scrapes. */
  expose(moment: Moment): string {
    return formatExposition([
      ...this.#identity(),
      ...this.#counters(),
      ...this.#shipping(),
      ...gauges(moment),
    ]);
  }

  /** Adds what a dump has more than when it was seen last. */
  #follow(dump: DumpRecord, seen = this.#running.get(dump.id) ?? nothing()): void {
    const now = figuresOf(dump);
    for (const name of FIGURES) this.#sums[name] += Math.max(0, now[name] - seen[name]);
    if (this.#running.size < MOST_RUNNING || this.#running.has(dump.id)) this.#running.set(dump.id, now);
  }

  #identity(): Family[] {
    const { version, deno, startedS } = this.#facts;
    return [
      gauge("netdump_build_info", "Version of netdump and of Deno.", [{
        labels: { version, deno },
        value: 1,
      }]),
      gauge("netdump_start_time_seconds", "Unix time at which the server started.", startedS),
      ...(this.#isNative === undefined ? [] : [
        gauge("netdump_native_datagrams", "1 if datagrams are moved many at a time.", Number(this.#isNative)),
      ]),
    ];
  }

  #counters(): Family[] {
    const { receivedBytes, messages, resends, savedPackets } = this.#sums;
    return [
      counter("netdump_received_bytes_total", "Distinct bytes of dumps that were received.", receivedBytes),
      counter("netdump_received_messages_total", "Messages of dumps that were received.", messages),
      counter("netdump_resends_total", "Messages that came again.", resends),
      counter(
        "netdump_saved_packets_total",
        "Packets that early acks would have lost and that came again because acks were held.",
        savedPackets,
      ),
      counter("netdump_dumps_total", "Dumps that ended, by how.", this.#dumps.samples("outcome")),
      counter("netdump_dumps_resumed_total", "Dumps that were taken up again.", this.#counts.get("resumed")),
      counter("netdump_dumps_removed_total", "Dumps that --keep removed.", this.#counts.get("removed")),
      counter(
        "netdump_heralds_refused_total",
        "HERALDs that were left unanswered, by the reason; repeated ones are counted a minute late.",
        this.#refused.samples("reason"),
      ),
      counter(
        "netdump_datagrams_ignored_total",
        "Datagrams on the HERALD port that were no HERALD.",
        this.#counts.get("ignored"),
      ),
      counter("netdump_hooks_total", "Runs of the program of --exec.", this.#hooks.samples("result")),
      counter("netdump_webhooks_total", "Posts to the URL of --webhook.", this.#webhooks.samples("result")),
      counter("netdump_receiver_crashes_total", "Receivers that crashed.", this.#counts.get("crashes")),
      counter(
        "netdump_reports_dropped_total",
        "Reports that receivers left out: they came faster than they could be told.",
        this.#counts.get("dropped"),
      ),
      counter(
        "netdump_reports_distrusted_total",
        "Reports of receivers that named files which no dump of theirs has.",
        this.#counts.get("distrusted"),
      ),
      histogram(
        "netdump_dump_duration_seconds",
        "How long dumps took, from first data to end.",
        this.#durations,
      ),
      histogram("netdump_burst_messages", "Messages that were stored together.", this.#bursts),
      histogram(
        "netdump_ack_latency_seconds",
        "From the first message of a burst until it was stored and the acks that were due went out.",
        this.#latencies,
      ),
      histogram("netdump_dump_size_bytes", "Distinct bytes of dumps that ended.", this.#sizes),
    ];
  }

  /** Without --ship the counts stay 0, and nothing is known of a bucket. */
  #shipping(): Family[] {
    return [
      counter("netdump_dumps_shipped_total", "Dumps that --ship stored.", this.#counts.get("shipped")),
      counter("netdump_shipped_bytes_total", "Bytes that --ship sent.", this.#counts.get("shippedBytes")),
      counter(
        "netdump_ship_problems_total",
        "What kept dumps from being shipped, each time it changed.",
        this.#counts.get("shipProblems"),
      ),
      counter(
        "netdump_dumps_ship_removed_total",
        "Dumps whose local files --ship-keep removed.",
        this.#counts.get("shipRemoved"),
      ),
      ...(this.#isShipping === undefined ? [] : [
        gauge(
          "netdump_ship_ready",
          "1 if the bucket of --ship took what came last.",
          Number(this.#isShipping),
        ),
      ]),
      ...(this.#pending === undefined
        ? []
        : [gauge("netdump_ship_pending_dumps", "Dumps that wait to be shipped.", this.#pending)]),
    ];
  }
}

function gauges({ view, weaknesses }: Moment): Family[] {
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

const FIGURES = ["receivedBytes", "messages", "resends", "savedPackets"] as const;

function nothing(): Figures {
  return { receivedBytes: 0, messages: 0, resends: 0, savedPackets: 0 };
}

function figuresOf({ receivedBytes, messages, resends, savedPackets }: DumpRecord): Figures {
  return { receivedBytes, messages, resends, savedPackets };
}

function hookOutcome(result: Extract<ServerEvent, { event: "hook" }>["result"]): string {
  switch (result.result) {
    case "exited":
      return result.status === 0 ? "success" : "failure";
    case "timed-out":
      return "timeout";
    case "failed":
      return "not-run";
  }
}

/** Counts by kind; all kinds are there from the beginning, at zero. */
class Tally {
  readonly #counts: Map<string, number>;

  constructor(...kinds: string[]) {
    this.#counts = new Map(kinds.map((kind) => [kind, 0]));
  }

  add(kind: string, count = 1): void {
    this.#counts.set(kind, this.get(kind) + count);
  }

  get(kind: string): number {
    return this.#counts.get(kind) ?? 0;
  }

  samples(label: string): Sample[] {
    return Array.from(this.#counts, ([kind, value]) => ({ labels: { [label]: kind }, value }));
  }
}

class Histogram implements HistogramCounts {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** Adds what another has counted by the same bounds. */
  addAll(counts: readonly number[], sum: number): void {
    for (const [i, count] of counts.entries()) if (i < this.counts.length) this.counts[i]! += count;
    this.sum += sum;
  }

  add(value: number): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    this.counts[bucket < 0 ? this.bounds.length : bucket]!++;
    this.sum += value;
  }
}

function family(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: number | readonly Sample[],
): Family {
  return { type, name, help, samples: typeof value === "number" ? [{ value }] : value };
}

function counter(name: string, help: string, value: number | readonly Sample[]): Family {
  return family("counter", name, help, value);
}

function gauge(name: string, help: string, value: number | readonly Sample[]): Family {
  return family("gauge", name, help, value);
}

function histogram(name: string, help: string, counts: HistogramCounts): Family {
  return { type: "histogram", name, help, histogram: counts };
}
