/**
 * Counts what a server tells, for Prometheus. No host name, address or panic is a label: whoever can send a datagram would
 * make series without end (P7).
 *
 * @module
 */
import { BURST_BOUNDS, type DumpRecord, LATENCY_BOUNDS_S, type ServerEvent } from "../events.ts";
import { Histogram, Tally } from "./counts.ts";
import { counter, type Family, formatExposition, gauge, histogram } from "./exposition.ts";
import { type Moment, momentFamilies } from "./moment_metrics.ts";
import { ShippingMetrics } from "./shipping_metrics.ts";

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
  );
  readonly #durations = new Histogram(DURATION_BOUNDS_S);
  readonly #bursts = new Histogram(BURST_BOUNDS);
  readonly #latencies = new Histogram(LATENCY_BOUNDS_S);
  readonly #sizes = new Histogram(SIZE_BOUNDS_BYTES);
  readonly #shipping = new ShippingMetrics();
  /** Whether the system's library moves datagrams; not known before receivers have tried it. */
  #isNative: boolean | undefined;

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
      case "webhook":
        this.#webhooks.add(event.result.result);
        return;
      default:
        this.#shipping.observe(event);
    }
  }

  /** What Prometheus scrapes. */
  expose(moment: Moment): string {
    return formatExposition([
      ...this.#identity(),
      ...this.#counters(),
      ...this.#shipping.families(),
      ...momentFamilies(moment),
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
