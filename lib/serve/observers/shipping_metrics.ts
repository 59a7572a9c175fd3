/**
 * Metrics of --ship.
 *
 * @module
 */
import type { ServerEvent } from "../events.ts";
import { Tally } from "./counts.ts";
import { counter, type Family, gauge } from "./exposition.ts";

/** Counts what is told of shipping. */
export class ShippingMetrics {
  readonly #counts = new Tally("shipped", "shippedBytes", "shipProblems", "shipRemoved");
  /** Whether the bucket of --ship took the last thing; not known before it was tried. */
  #isShipping: boolean | undefined;
  /** Dumps to be shipped; not known before the outbox was looked at. */
  #pending: number | undefined;

  /** Counts an event. */
  observe(event: ServerEvent): void {
    switch (event.event) {
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
    }
  }

  /** Without --ship the counts stay 0, and nothing is known of a bucket. */
  families(): Family[] {
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
