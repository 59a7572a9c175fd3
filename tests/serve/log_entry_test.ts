import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { hostileText, UNSAFE_TO_SHOW } from "../hostile_text.ts";
import { decodeKernelDumpHeader, encodeKernelDumpHeader } from "../../lib/kerneldump/files/header.ts";
import { reportEntry } from "../../lib/serve/log_entry.ts";
import type { DumpRecord, Report } from "../../lib/serve/orders.ts";
import { JOURNAL_HEADER } from "../kerneldump/journal_header.ts";

const DUMP: DumpRecord = {
  id: "1",
  client: "192.0.2.7",
  local: "192.0.2.1",
  port: 40001,
  host: "w1",
  hostName: "w1.example.net",
  index: 3,
  directory: "lab",
  info: "info.w1.3",
  core: "vmcore.w1.3",
  header: null,
  key: null,
  kernelDumpHeader: null,
  encrypted: false,
  receivedBytes: 1024 * 1024,
  messages: 725,
  resends: 2,
  savedPackets: 0,
  durationMs: 2000,
};
const FINISHED: Extract<Report, { report: "finished" }> = {
  report: "finished",
  dump: DUMP,
  outcome: "success",
  complete: true,
  reason: null,
  missing: [],
  resumable: false,
};

function withPanic(panicString: string): DumpRecord {
  const header = decodeKernelDumpHeader(encodeKernelDumpHeader({ ...JOURNAL_HEADER, panicString }));
  return { ...DUMP, kernelDumpHeader: header, header: "kdh.w1.3" };
}

const LINES: readonly (readonly [report: Report, level: string, event: string, text: string])[] = [
  [
    { report: "started", dump: DUMP, resumed: false },
    "info",
    "started",
    "New dump from client w1 [192.0.2.7] (to lab/vmcore.w1.3)",
  ],
  [
    { report: "started", dump: DUMP, resumed: true },
    "info",
    "resumed",
    "Resumed dump from client w1 [192.0.2.7] (to lab/vmcore.w1.3)",
  ],
  [
    { report: "header", dump: withPanic("page fault"), problem: null },
    "info",
    "header",
    'KDH from w1 [192.0.2.7]: amd64, 925 MiB, panic "page fault"',
  ],
  [
    { report: "header", dump: withPanic(""), problem: "its parity is wrong" },
    "warning",
    "header",
    "KDH from w1 [192.0.2.7]: amd64, 925 MiB, no panic string; it is bad: its parity is wrong",
  ],
  [
    { report: "header", dump: DUMP, problem: "the magic is not a kernel dump's" },
    "warning",
    "header",
    "KDH from w1 [192.0.2.7]; it is bad: the magic is not a kernel dump's",
  ],
  [
    { report: "key", dump: DUMP },
    "info",
    "key",
    "EKCD key from w1 [192.0.2.7]: the dump is encrypted",
  ],
  [
    { report: "progress", dump: DUMP },
    "info",
    "progress",
    "1.00 MiB from w1 [192.0.2.7] so far, 512 KiB/s",
  ],
  [
    FINISHED,
    "info",
    "completed",
    "Completed dump from client w1 [192.0.2.7] (lab/vmcore.w1.3): 1.00 MiB in 2.0 s, 512 KiB/s, 2 resends",
  ],
  [
    { ...FINISHED, dump: { ...DUMP, savedPackets: 7 } },
    "info",
    "completed",
    "Completed dump from client w1 [192.0.2.7] (lab/vmcore.w1.3): 1.00 MiB in 2.0 s, 512 KiB/s, 2 resends; " +
    "7 packets were saved that early acks would have lost",
  ],
  [
    {
      ...FINISHED,
      outcome: "error",
      complete: false,
      reason: "holes: 1448 of 4096 bytes missing in 1 range",
      missing: [{ start: 0, end: 1448 }],
    },
    "warning",
    "incomplete",
    "Incomplete dump from client w1 [192.0.2.7] (lab/vmcore.w1.3): holes: 1448 of 4096 bytes missing in 1 range; " +
    "missing: 0x0-0x5a8 (1448 bytes); 1.00 MiB in 2.0 s, 512 KiB/s, 2 resends",
  ],
  [
    {
      ...FINISHED,
      outcome: "error",
      complete: false,
      reason: "the server was stopped",
      resumable: true,
    },
    "warning",
    "incomplete",
    "Incomplete dump from client w1 [192.0.2.7] (lab/vmcore.w1.3): the server was stopped; 1.00 MiB in 2.0 s, " +
    "512 KiB/s, 2 resends; it goes on if the server is started again in time",
  ],
  [
    { ...FINISHED, outcome: "timeout", complete: false, reason: "client timed out" },
    "warning",
    "incomplete",
    "Client 192.0.2.7 timed out (lab/vmcore.w1.3): client timed out; 1.00 MiB in 2.0 s, 512 KiB/s, 2 resends",
  ],
  [
    { report: "removed", files: ["vmcore.w1.0", "info.w1.0"] },
    "info",
    "removed",
    "Removed old dumps: vmcore.w1.0, info.w1.0",
  ],
  [
    { report: "notice", level: "debug", id: "1", text: "an ack could not be sent" },
    "debug",
    "notice",
    "an ack could not be sent",
  ],
];

for (const [report, level, event, text] of LINES) {
  Deno.test(`reportEntry() says "${text}"`, () => {
    const entry = reportEntry(report);
    assertEquals([entry?.level, entry?.event, entry?.text], [level, event, text]);
  });
}

Deno.test("reportEntry() has no line for what is no news", () => {
  assertEquals(reportEntry({ report: "closed", id: "1" }), undefined);
  assertEquals(reportEntry({ report: "stopped" }), undefined);
});

Deno.test("reportEntry() lists eight of the missing ranges; the facts have all", () => {
  const missing = Array.from({ length: 20 }, (_, i) => ({ start: 2 * i, end: 2 * i + 1 }));
  const entry = reportEntry({ ...FINISHED, outcome: "error", complete: false, reason: "holes", missing });
  assertEquals(entry?.text.match(/0x/g)?.length, 16);
  assertEquals(entry?.fields?.["missing"], missing);
});

Deno.test("reportEntry() gives programs the dump's facts", () => {
  const { fields } = reportEntry({ ...FINISHED, dump: withPanic("page fault") })!;
  assertEquals(fields?.["client"], "192.0.2.7");
  assertEquals(fields?.["panicString"], "page fault");
  assertEquals(fields?.["savedPackets"], 0);
  assertEquals(fields?.["outcome"], "success");
});

Deno.test("reportEntry() only lets notices be provoked without end", () => {
  const notice = reportEntry({ report: "notice", level: "warning", id: null, text: "x" });
  assertEquals([notice?.provoked, reportEntry(FINISHED)?.provoked], [true, undefined]);
});

Deno.test("reportEntry() escapes what came from the network, wherever it stands (P8)", () => {
  fc.assert(fc.property(hostileText, (hostile) => {
    const header = { ...withPanic("").kernelDumpHeader!, panicString: hostile, architecture: hostile };
    const dump: DumpRecord = { ...DUMP, directory: hostile, kernelDumpHeader: header };
    const reports: Report[] = [
      { report: "started", dump, resumed: false },
      { report: "header", dump, problem: hostile },
      { report: "key", dump },
      { report: "progress", dump },
      { ...FINISHED, dump, reason: hostile, complete: false, outcome: "error" },
      { ...FINISHED, dump },
    ];
    for (const report of reports) {
      const text = reportEntry(report)?.text ?? "";
      assert(!UNSAFE_TO_SHOW.test(text), JSON.stringify(text));
    }
  }));
});
