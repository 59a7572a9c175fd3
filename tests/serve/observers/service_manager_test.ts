import { assertEquals } from "@std/assert";
import { Board } from "../../../lib/serve/observers/board.ts";
import { ServiceNotifier } from "../../../lib/serve/observers/service_manager.ts";
import type { ServerEvent } from "../../../lib/serve/events.ts";
import { dumpRecord } from "./dump_events.ts";

/** A manager that keeps what it is told, and a notifier that tells it. */
class Fixture {
  readonly told: Readonly<Record<string, string>>[] = [];
  readonly board = new Board(() => this.nowMs);
  nowMs = 1e12;
  alive = true;
  readonly notifier: ServiceNotifier;
  #waiting: (() => void)[] = [];

  constructor(watchdogMs: number | null = null) {
    const send = (variables: Readonly<Record<string, string>>) => {
      this.told.push(variables);
      for (const resolve of this.#waiting.splice(0)) resolve();
      return Promise.reject(new Error("nobody there"));
    };
    this.notifier = new ServiceNotifier({ send, watchdogMs }, this.board, () => Promise.resolve(this.alive));
  }

  observe(event: ServerEvent): void {
    this.board.observe(event);
    this.notifier.observe(event);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  [Symbol.dispose](): void {
    this.notifier.close();
  }
}

Deno.test("the service manager is told READY once the server is, and what the server does when that changes", async () => {
  using fixture = new Fixture();
  assertEquals(fixture.told, []);
  fixture.observe({ event: "ready" });
  assertEquals(fixture.told, [{ READY: "1", STATUS: "Waiting for clients" }]);
  fixture.observe({ event: "started", dump: dumpRecord() });
  fixture.nowMs += 10_000;
  fixture.observe({ event: "progress", dump: dumpRecord({ receivedBytes: 10 * 2 ** 20 }) });
  fixture.observe({
    event: "not-ready",
    ...{ check: "free-space", problem: "it is\nfull", advice: "", blocks: true },
  });
  await fixture.until(() => fixture.told.length === 2);
  assertEquals(fixture.told[1], { STATUS: "1 dump, 1.00 MiB/s; it is\\nfull" });
});

Deno.test("a rate that nobody knows yet is not told as none", async () => {
  using fixture = new Fixture();
  fixture.observe({ event: "ready" });
  fixture.observe({ event: "started", dump: dumpRecord() });
  await fixture.until(() => fixture.told.length === 2);
  assertEquals(fixture.told[1], { STATUS: "1 dump" });
});

Deno.test("a sign of life is given while every receiver answers, and none when one does not", async () => {
  using fixture = new Fixture(2);
  fixture.observe({ event: "ready" });
  const signs = () => fixture.told.filter(({ WATCHDOG }) => WATCHDOG === "1").length;
  await fixture.until(() => signs() >= 3);
  fixture.alive = false;
  // Those that were on their way.
  await new Promise((resolve) => setTimeout(resolve, 10));
  const before = signs();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(signs(), before);
  fixture.alive = true;
  await fixture.until(() => signs() > before);
});

Deno.test("a server that stops says so, asks for time, and gives no status any more", async () => {
  using fixture = new Fixture(60_000);
  fixture.observe({ event: "ready" });
  await fixture.until(() => fixture.told.length === 2);
  fixture.observe({ event: "stopping" });
  assertEquals(fixture.told.slice(2), [
    { STOPPING: "1", STATUS: "Shutting down", EXTEND_TIMEOUT_USEC: "10000000" },
  ]);
  fixture.observe({ event: "started", dump: dumpRecord() });
  assertEquals(fixture.told.length, 3);
});
