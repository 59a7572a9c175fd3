import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { Board } from "../../../../lib/serve/observers/board.ts";
import type { Status } from "../../../../lib/serve/observers/http/api.ts";
import { fragment, lines } from "../../../../lib/serve/observers/http/html.ts";
import { dumpPage } from "../../../../lib/serve/observers/http/dump_page.ts";
import { statusPage } from "../../../../lib/serve/observers/http/status_page.ts";
import { groupPanics, type StoredDump } from "../../../../lib/serve/observers/stored_dumps.ts";
import { hostileText } from "../../../hostile_text.ts";
import { dumpRecord, incomplete } from "../dump_events.ts";

function storedDump(special: Partial<StoredDump> = {}): StoredDump {
  return {
    ...{ file: "vmcore.w1.0", host: "w1", time: "2026-01-02T03:04:05Z", sizeBytes: 4096, kind: "minidump" },
    ...{ state: "whole", panic: "page fault", signature: "page fault" },
    ...special,
  };
}

function status(board: Board, special: Partial<Status> = {}): Status {
  return {
    ...{ version: "1.2.3", startedMs: 1e12 - 3_600_000, nowMs: 1e12, weaknesses: [] },
    view: {
      sessions: { heralded: 0, data: 1, finished: 0 },
      ...{ mostSessions: 256, receivers: 2, addresses: ["192.0.2.1"], port: 20023 },
      ...{ directory: "/var/crash", descriptors: null },
      room: { freeBytes: 50 * 2 ** 30, keptBytes: 5 * 2 ** 30, totalBytes: 100 * 2 ** 30 },
    },
    ...{ running: board.running, ended: board.ended, refusals: board.refusals, stored: [] },
    ...special,
  };
}

/** What a reader sees of a page: the tags away. */
const seen = (page: string) =>
  page.replace(/<style>[^]*<\/style>/, "").replace(/<[^<>]*>/g, " ").replace(/\s+/g, " ");

Deno.test("what is put into a template is text, whatever it says; markup made by a template stays", () => {
  assertEquals(
    fragment`<p title="${`"'<&>`}">${[fragment`<b>${"a\u202eb"}</b>`, null, 1]}</p>`.markup,
    `<p title="&quot;&#39;&lt;&amp;&gt;"><b>a\\u{202e}b</b>1</p>`,
  );
  assertEquals(lines("a\n<b>").markup, "a\n&lt;b&gt;");
});

Deno.test("no client makes markup of the pages, whatever it calls itself and panics with (P8)", () => {
  const plain = pageOf("x");
  const tags = (page: string) => page.match(/<[^<>]*>/g)!.length;
  fc.assert(
    fc.property(fc.oneof(hostileText, fc.constantFrom("</style><script>", '" onload="', "<b>")), (text) => {
      const page = pageOf(`x${text}`);
      assertEquals(tags(page), tags(plain));
      assert(!/<script|\son\w+="/.test(page.replace(/"[^"]*"/g, '""')));
    }),
  );
});

function pageOf(text: string): string {
  const board = new Board(() => 1e12);
  board.observe({ event: "started", dump: dumpRecord({ host: text, client: text }) });
  board.observe(incomplete({ id: "b", host: text }, { reason: text }));
  board.observe({ event: "refused", client: text, cause: "rate", reason: text, count: 2 });
  const dump = storedDump({ file: text, host: text, panic: text, signature: text });
  return statusPage(status(board, {
    stored: [dump],
    weaknesses: [{ check: "x", problem: text, advice: text, blocks: true }],
  })) + dumpPage(dump, { text: "t", report: null, messages: "m", memory: null });
}

Deno.test("the status page says what runs, what panicked where how often, what there is room for, and what blocks", () => {
  const board = new Board(() => 1e12 - 60_000);
  board.observe({
    event: "started",
    dump: dumpRecord({ core: "vmcore.w1.5", receivedBytes: 2 ** 20, resends: 3 }),
  });
  const page = statusPage(status(board, {
    stored: [
      storedDump({ file: "vmcore.w2.0", host: "w2", time: "2026-01-03T00:00:00Z" }),
      storedDump(),
      storedDump({ file: "vmcore.w1.5.incomplete", state: "partial" }),
      storedDump({ file: "vmcore.w3.0", panic: null, signature: null, state: "partial" }),
    ],
    weaknesses: [{ check: "receivers", problem: "1 of 2 is silent", advice: "look", blocks: false }],
  }));
  const text = seen(page);
  assertMatch(text, /ready: a dump would be taken now 192\.0\.2\.1:20023; up 1 h 00 min/);
  assertMatch(text, /1 of 2 is silent ; look/);
  assertMatch(text, /w1 \[192\.0\.2\.7\] 1\.00 MiB 1 min 00 s 3 0/);
  assertMatch(text, /page fault 2 w1, w2 2026-01-02 03:04 2026-01-03 00:00/);
  assertMatch(text, /45\.0 GiB for dumps 5\.00 GiB kept free/);
  // The file of the dump that runs is no dump yet.
  assert(!page.includes("vmcore.w1.5"));
  assertMatch(page, /<a href="\/dumps\/vmcore\.w2\.0">/);
  assertMatch(page, /http-equiv="refresh"[^]*<a href="\/still">stop refreshing<\/a>/);
  const still = statusPage(status(board), false);
  assertEquals([still.includes("http-equiv"), still.includes('<a href="/">refresh</a>')], [false, true]);
  const full = { check: "free-space", problem: "full", advice: "make room", blocks: true };
  assertMatch(
    seen(statusPage(status(board, { weaknesses: [full] }))),
    /not ready: no dump would be taken now/,
  );
});

Deno.test("a table of very many rows is cut, and says so", () => {
  const stored = Array.from({ length: 1000 }, (_, i) => storedDump({ file: `vmcore.w1.${i}` }));
  const page = statusPage(status(new Board(() => 0), { stored }));
  assertEquals(page.match(/href="\/dumps/g)!.length, 100);
  assertMatch(seen(page), /and 900 more/);
});

Deno.test("a dump's page shows its findings, its memory as a picture and its last messages, or why not", () => {
  const memory = [{ sizeBytes: 3 * 2 ** 20, share: 1 }, { sizeBytes: 2 ** 20, share: 0.5 }];
  const page = dumpPage(storedDump(), {
    text: "Host  w1\n<x>",
    report: null,
    messages: "panic: boom\n",
    memory,
  });
  assertMatch(page, /<pre tabindex="0" role="region" aria-label="What it says">Host {2}w1\n&lt;x&gt;<\/pre>/);
  assertMatch(page, /panic: boom/);
  assertMatch(seen(page), /The dump has 3\.50 MiB of 4\.00 MiB of memory; from the lowest/);
  assertMatch(page, /x="750\.00" width="250\.00"[^>]*fill-opacity="0\.5[78]"/);
  const said = (messages: string | null) =>
    seen(dumpPage(storedDump(), { text: "", report: null, messages, memory: null }));
  assertMatch(said(null), /The message buffer was not found/);
  assertMatch(said("\n"), /The message buffer holds no text/);
  assertMatch(seen(dumpPage(storedDump(), "It was not read within 20 s")), /Cannot read it: It was not read/);
});

Deno.test("groupPanics() counts equal panics, the most frequent first", () => {
  const groups = groupPanics([
    storedDump({ host: "b", time: null }),
    storedDump({ host: "a" }),
    storedDump({ panic: "other", signature: "other" }),
    storedDump({ signature: null }),
  ]);
  assertEquals(groups.map(({ panic, count, hosts }) => [panic, count, hosts]), [
    ["page fault", 2, ["a", "b"]],
    ["other", 1, ["w1"]],
  ]);
});
