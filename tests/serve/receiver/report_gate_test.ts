import { assert, assertEquals } from "@std/assert";
import type { Report } from "../../../lib/serve/orders.ts";
import { ReportGate } from "../../../lib/serve/receiver/report_gate.ts";

const NOTICE: Report = { report: "notice", level: "debug", id: null, provoked: true, text: "x" };

Deno.test("ReportGate drops what only a line depends on while nobody takes reports, and counts it (P2, P7)", () => {
  const posted: Report[] = [];
  const gate = new ReportGate((report) => posted.push(report));
  for (let i = 0; i < 10_000; i++) gate.pass(NOTICE);
  assert(posted.length < 1000, `${posted.length} reports wait`);
  // What sessions depend on gets through.
  const waiting = posted.length;
  gate.pass({ report: "closed", id: "1" });
  gate.pass({ report: "opened", id: "2", port: 1 });
  assertEquals(posted.slice(waiting).map(({ report }) => report), ["closed", "opened"]);
  gate.taken(64);
  assertEquals(posted.at(-1), { report: "dropped", count: 10_000 - waiting });
  gate.pass(NOTICE);
  assertEquals(posted.at(-1), NOTICE);
});
