import { assertEquals, assertMatch } from "@std/assert";
import { Board } from "../../../../lib/serve/observers/board.ts";
import type { Status } from "../../../../lib/serve/observers/http/api.ts";
import { Site } from "../../../../lib/serve/observers/http/site.ts";
import type { DumpReader, StoredDump } from "../../../../lib/serve/observers/stored_dumps.ts";
import type { Weakness } from "../../../../lib/serve/observers/server_view.ts";
import { completed, dumpRecord } from "../dump_events.ts";

const FULL: Weakness = { check: "free-space", problem: "1 GiB free", advice: "make room", blocks: true };

const DUMP: StoredDump = {
  ...{ file: "lab/vmcore.w1.0", host: "w1", time: null, sizeBytes: 1, kind: "minidump" },
  ...{ state: "whole", panic: "boom", signature: "boom" },
};

function statusOf(board: Board, weaknesses: readonly Weakness[]): Omit<Status, "stored"> {
  return {
    ...{ version: "1.2.3", startedMs: 0, nowMs: 1e12, weaknesses },
    view: {
      sessions: { heralded: 0, data: 1, finished: 0 },
      ...{ mostSessions: 256, receivers: 2, addresses: ["192.0.2.1"], port: 20023 },
      ...{ directory: "/var/crash", room: null, descriptors: null },
    },
    ...{ running: board.running, ended: board.ended, refusals: board.refusals },
  };
}

function siteOf(found: Weakness[] = [], board = new Board(() => 1e12)) {
  const clock = { ms: 0, asked: 0, listed: 0, changes: 0, read: [] as string[] };
  const reader: DumpReader = {
    list: () => {
      clock.listed++;
      return Promise.resolve([DUMP]);
    },
    read: (file) => {
      clock.read.push(file);
      return Promise.resolve({ text: "it is whole", report: { file }, messages: null, memory: null });
    },
  };
  const site = new Site({
    weaknesses: () => {
      clock.asked++;
      return Promise.resolve(found);
    },
    status: (weaknesses) => statusOf(board, weaknesses),
    metrics: () => "x 1\n",
    reader,
    changes: () => clock.changes,
    names: ["dumps.example"],
    now: () => clock.ms,
  });
  const get = (path: string, host = "127.0.0.1", method = "GET") => site.answer({ method, path, host });
  return { clock, get };
}

Deno.test("the site answers to addresses, localhost and the names it was given, so that no foreign page gets at it", async () => {
  const { get } = siteOf();
  for (const host of ["127.0.0.1", "192.0.2.1", "[::1]", "localhost", "dumps.example"]) {
    assertEquals((await get("/healthz", host)).status, 200, host);
  }
  for (const host of ["", "evil.example", "127.0.0.1.evil.example", "localhost.", "dumps.example.evil"]) {
    assertEquals((await get("/healthz", host)).status, 421, host);
  }
});

Deno.test("the site takes GET and HEAD only, and has nothing elsewhere", async () => {
  const { get } = siteOf();
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"]) {
    assertEquals((await get("/healthz", "localhost", method)).status, 405);
  }
  for (
    const path of ["/nothing", "/api/v1/", "/api/v1/constructor", "/api/v1/__proto__", "/api/v2/status", "//"]
  ) {
    assertEquals((await get(path)).status, 404, path);
  }
});

Deno.test("/readyz tells what blocks dumps and /healthz what is broken, each as 503", async () => {
  const ready = siteOf([{ ...FULL, blocks: false }]);
  assertEquals(await ready.get("/readyz").then(({ status, body }) => [status, body]), [200, "ok\n"]);
  const full = siteOf([FULL]);
  assertEquals(await full.get("/readyz").then(({ status, body }) => [status, body]), [
    503,
    "1 GiB free; make room\n",
  ]);
  assertEquals((await full.get("/healthz")).status, 200);
  assertEquals((await siteOf([{ ...FULL, check: "receivers", blocks: false }]).get("/healthz")).status, 503);
});

Deno.test("/ refreshes itself and /still does not", async () => {
  const { get } = siteOf();
  for (const [path, refreshes] of [["/", true], ["/still", false]] as const) {
    const { status, body } = await get(path);
    assertEquals([status, body.includes('http-equiv="refresh"')], [200, refreshes]);
  }
});

Deno.test("/metrics has Prometheus' media type", async () => {
  const { type, body } = await siteOf().get("/metrics");
  assertEquals([type, body], ["text/plain; version=0.0.4; charset=utf-8", "x 1\n"]);
});

Deno.test("/api/v1/dumps tells running dumps with their estimated end, and those that ended", async () => {
  let nowMs = 1e12;
  const board = new Board(() => nowMs);
  const header = { dumpLength: 3000 } as NonNullable<ReturnType<typeof dumpRecord>["kernelDumpHeader"]>;
  board.observe(completed({ id: "z" }));
  board.observe({ event: "started", dump: dumpRecord({ kernelDumpHeader: header }) });
  nowMs += 10_000;
  board.observe({ event: "progress", dump: dumpRecord({ kernelDumpHeader: header, receivedBytes: 1000 }) });
  const { get } = siteOf([], board);
  const { body, type } = await get("/api/v1/dumps");
  assertEquals(type, "application/json");
  const { running, ended } = JSON.parse(body);
  assertEquals(
    [running[0].client, running[0].bytesPerSecond, running[0].expectedBytes, running[0].estimatedEnd],
    ["192.0.2.7", 100, 3000, new Date(1e12 + 30_000).toISOString()],
  );
  assertEquals([ended[0].id, ended[0].complete, ended[0].ended], ["z", true, new Date(1e12).toISOString()]);
  assertMatch((await get("/api/v1/status")).body, /"ready":true/);
});

Deno.test("many that ask at once, and again within a second, cost the server one look", async () => {
  const { clock, get } = siteOf();
  await Promise.all(Array.from({ length: 50 }, () => get("/readyz")));
  await get("/api/v1/status");
  assertEquals(clock.asked, 1);
  clock.ms = 1000;
  await get("/readyz");
  assertEquals(clock.asked, 2);
});

Deno.test("only dumps that were listed are read, whatever a path says", async () => {
  const { clock, get } = siteOf();
  assertMatch((await get("/dumps/lab/vmcore.w1.0")).body, /it is whole/);
  assertEquals(JSON.parse((await get("/api/v1/dumps/lab/vmcore.w1.0")).body), { file: "lab/vmcore.w1.0" });
  for (const file of ["../../etc/passwd", "", "lab", "lab//vmcore.w1.0", "/lab/vmcore.w1.0", "vmcore.w1.0"]) {
    assertEquals((await get(`/dumps/${file}`)).status, 404, file);
    assertEquals((await get(`/api/v1/dumps/${file}`)).status, 404, file);
  }
  assertEquals(clock.read, ["lab/vmcore.w1.0", "lab/vmcore.w1.0"]);
});

Deno.test("the dump directory is read again when a dump has ended or gone, and now and then, not for every reader", async () => {
  const { clock, get } = siteOf();
  for (let i = 0; i < 10; i++) await get("/");
  clock.ms += 60_000;
  await get("/");
  assertEquals(clock.listed, 1);
  clock.changes++;
  await get("/");
  assertEquals(clock.listed, 2);
  clock.changes++;
  clock.ms += 1000;
  await get("/");
  assertEquals(clock.listed, 2);
  clock.ms += 300_000;
  await get("/api/v1/panics");
  assertEquals(clock.listed, 3);
});

Deno.test("a page may have its own style, by hash, and nothing else", async () => {
  const { type, headers, body } = await siteOf().get("/");
  assertEquals(type, "text/html; charset=utf-8");
  const [, style = ""] = /<style>([^]*)<\/style>/.exec(body) ?? [];
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style)));
  const hash = btoa(String.fromCharCode(...digest));
  assertMatch(
    headers?.["Content-Security-Policy"] ?? "",
    new RegExp(`^default-src 'none'; style-src 'sha256-${hash.replace(/[+]/g, "\\+")}';`),
  );
});
