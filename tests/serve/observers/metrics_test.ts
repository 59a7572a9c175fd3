import { assert, assertEquals } from "@std/assert";
import { formatExposition } from "../../../lib/serve/observers/exposition.ts";
import { Metrics } from "../../../lib/serve/observers/metrics.ts";
import { BURST_BOUNDS, LATENCY_BOUNDS_S, type ServerEvent } from "../../../lib/serve/events.ts";
import type { ServerView, Weakness } from "../../../lib/serve/observers/server_view.ts";
import { isInstalled } from "../../programs.ts";
import { completed, dumpRecord, incomplete } from "./dump_events.ts";
import { parseExposition } from "./exposition_parser.ts";

const VIEW: ServerView = {
  sessions: { heralded: 1, data: 2, finished: 3 },
  mostSessions: 256,
  receivers: 2,
  addresses: ["192.0.2.1"],
  port: 20023,
  directory: "/var/crash",
  room: { freeBytes: 100, keptBytes: 5, totalBytes: 200 },
  descriptors: 1024,
};

const promtool = isInstalled("promtool");

function expose(events: readonly ServerEvent[], weaknesses: readonly Weakness[] = [], view = VIEW): string {
  const metrics = new Metrics({ version: "1.2.3", deno: "2.9.6", startedS: 1000 });
  for (const event of events) metrics.observe(event);
  return metrics.expose({ view, weaknesses });
}

/** The samples of an exposition, by their lines without values. */
function samples(text: string): Map<string, number> {
  return new Map(Array.from(parseExposition(text).values(), ({ samples }) => [...samples]).flat());
}

const BUSY: readonly ServerEvent[] = [
  { event: "started", dump: dumpRecord({ receivedBytes: 100, messages: 1 }) },
  { event: "progress", dump: dumpRecord({ receivedBytes: 4000, messages: 5, resends: 1 }) },
  completed({ receivedBytes: 5000, messages: 7, resends: 2, savedPackets: 3, durationMs: 2500 }),
  { event: "resumed", dump: dumpRecord({ id: "b", receivedBytes: 10_000 }) },
  incomplete({ id: "b", receivedBytes: 10_500 }),
  incomplete({ id: "c", receivedBytes: 1 }, { resumable: true }),
  { event: "empty", id: "d", client: "192.0.2.8" },
  { event: "refused", client: "192.0.2.9", cause: "client-port", reason: "NAT", count: 1 },
  { event: "refused", client: "192.0.2.9", cause: "client-port", reason: "NAT", count: 41 },
  {
    event: "pace",
    receiver: 0,
    counts: {
      bursts: BURST_BOUNDS.concat(0).map((bound) => bound === 32 ? 2 : 0),
      messages: 60,
      latencies: LATENCY_BOUNDS_S.concat(0).map((bound) => bound === 0.001 ? 2 : 0),
      latencySumS: 0.0015,
    },
  },
  { event: "ship-pending", dumps: 3 },
  { event: "ship-ready", endpoint: "http://192.0.2.1", bucket: "dumps", collector: "c" },
  { event: "ship-problem", info: "info.w1.1", failure: "full", problem: "p", advice: "a" },
  {
    event: "shipped",
    ...{
      directory: ".",
      info: "info.w1.0",
      complete: true,
      catalogueKey: "w1",
      bytes: 9,
      sentBytes: 7,
      durationMs: 1,
    },
  },
  { event: "webhook", id: "a", result: { result: "failed", tries: 3, reason: "no" } },
  { event: "hook", id: "a", program: "/x", result: { result: "exited", pid: 1, status: 1, signal: null } },
];

Deno.test("metrics count bytes once however often a dump tells of itself, and a resumed dump's from where it was", () => {
  const found = samples(expose(BUSY));
  assertEquals(found.get("netdump_received_bytes_total"), 5000 + 500 + 1);
  assertEquals(found.get("netdump_received_messages_total"), 7);
  assertEquals(found.get("netdump_resends_total"), 2);
  assertEquals(found.get("netdump_saved_packets_total"), 3);
  assertEquals(found.get('netdump_dumps_total{outcome="complete"}'), 1);
  assertEquals(found.get('netdump_dumps_total{outcome="timeout"}'), 1);
  assertEquals(found.get('netdump_dumps_total{outcome="incomplete"}'), 0);
  assertEquals(found.get('netdump_dumps_total{outcome="empty"}'), 1);
  assertEquals(found.get("netdump_dumps_resumed_total"), 1);
  assertEquals(found.get('netdump_heralds_refused_total{reason="client-port"}'), 42);
  assertEquals(found.get('netdump_hooks_total{result="failure"}'), 1);
  assertEquals(found.get('netdump_dump_duration_seconds_bucket{le="1"}'), 1);
  assertEquals(found.get('netdump_dump_duration_seconds_bucket{le="3"}'), 2);
  assertEquals(found.get("netdump_dump_duration_seconds_sum"), 2.5);
  assertEquals(found.get('netdump_sessions{stage="data"}'), 2);
  assertEquals(found.get("netdump_shipped_bytes_total"), 7);
  assertEquals(found.get("netdump_ship_pending_dumps"), 3);
  assertEquals(found.get("netdump_ship_ready"), 1);
  assertEquals(found.get('netdump_webhooks_total{result="failed"}'), 1);
  assertEquals(found.get('netdump_burst_messages_bucket{le="16"}'), 0);
  assertEquals(found.get('netdump_burst_messages_bucket{le="32"}'), 2);
  assertEquals(found.get("netdump_burst_messages_sum"), 60);
  assertEquals(found.get('netdump_ack_latency_seconds_bucket{le="0.001"}'), 2);
  assertEquals(found.get("netdump_directory_free_bytes"), 100);
  assertEquals(found.get('netdump_build_info{version="1.2.3",deno="2.9.6"}'), 1);
});

Deno.test("metrics say whether the bucket takes what is shipped, once it was tried", () => {
  const problem = (info: string | null): ServerEvent => (
    { event: "ship-problem", info, failure: "full", problem: "p", advice: "a" }
  );
  assertEquals(samples(expose([])).get("netdump_ship_ready"), undefined);
  assertEquals(samples(expose([problem("info.w1.0")])).get("netdump_ship_ready"), undefined);
  assertEquals(samples(expose([problem(null)])).get("netdump_ship_ready"), 0);
});

Deno.test("metrics say whether a dump would be taken, and which check says not", () => {
  assertEquals(samples(expose([])).get("netdump_ready"), 1);
  const weakness = { check: "free-space", problem: "full", advice: "make room", blocks: true };
  const found = samples(expose([], [weakness, { ...weakness, check: "path", blocks: false }]));
  assertEquals(found.get("netdump_ready"), 0);
  assertEquals(found.get('netdump_readiness_problems{check="free-space"}'), 1);
  assertEquals(found.get('netdump_readiness_problems{check="path"}'), 1);
  assertEquals(samples(expose([], [{ ...weakness, blocks: false }])).get("netdump_ready"), 1);
});

Deno.test("no client, host or panic becomes a label, and what the system does not tell is left out", () => {
  const text = expose(BUSY, [], { ...VIEW, room: null, descriptors: null });
  for (const word of ["192.0.2", "w1", "example", "NAT"]) assert(!text.includes(word), word);
  assertEquals(
    [...parseExposition(text).keys()].filter((name) => /directory|descriptors/.test(name)),
    [],
  );
});

Deno.test("formatExposition() escapes what would break a line or a label", () => {
  const text = formatExposition([
    {
      name: "x",
      type: "gauge",
      help: "a\\b\nc",
      samples: [{ labels: { l: 'q"\\\n' }, value: -Infinity }, { value: 0.5 }],
    },
  ]);
  assertEquals(text, '# HELP x a\\\\b\\nc\n# TYPE x gauge\nx{l="q\\"\\\\\\n"} -Inf\nx 0.5\n');
});

Deno.test({
  name: promtool
    ? "promtool finds nothing wrong"
    : "promtool finds nothing wrong [skipped: promtool is not installed]",
  ignore: !promtool,
  fn: async () => {
    const child = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(expose(BUSY)));
    await writer.close();
    const { success, stdout, stderr } = await child.output();
    assertEquals([success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)], [true, ""]);
  },
});
