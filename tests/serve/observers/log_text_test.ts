import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { hostileText, UNSAFE_TO_SHOW } from "../../hostile_text.ts";
import { decodeKernelDumpHeader, encodeKernelDumpHeader } from "../../../lib/kerneldump/files/header.ts";
import type { DumpRecord, FinishedDump, ServerEvent } from "../../../lib/serve/events.ts";
import { describeEvent, isProvoked, levelOf } from "../../../lib/serve/observers/log_text.ts";
import { JOURNAL_HEADER } from "../../kerneldump/journal_header.ts";

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
const FINISHED: FinishedDump = {
  dump: DUMP,
  outcome: "success",
  complete: true,
  reason: null,
  missing: [],
  resumable: false,
};

function withPanic(panicString: string, special: Partial<typeof JOURNAL_HEADER> = {}): DumpRecord {
  const header = decodeKernelDumpHeader(
    encodeKernelDumpHeader({ ...JOURNAL_HEADER, panicString, ...special }),
  );
  return { ...DUMP, kernelDumpHeader: header, header: "kdh.w1.3" };
}

const LINES: readonly (readonly [event: ServerEvent, level: string, text: string])[] = [
  [
    { event: "started", dump: DUMP },
    "info",
    "New dump from client w1 [192.0.2.7] (to lab/vmcore.w1.3)",
  ],
  [
    { event: "resumed", dump: DUMP },
    "info",
    "Resumed dump from client w1 [192.0.2.7] (to lab/vmcore.w1.3)",
  ],
  [
    { event: "header", dump: withPanic("page fault"), problem: null },
    "info",
    'KDH from w1 [192.0.2.7]: amd64, 925 MiB, panic "page fault"',
  ],
  [
    { event: "header", dump: withPanic(""), problem: "its parity is wrong" },
    "warning",
    "KDH from w1 [192.0.2.7]: amd64, 925 MiB, no panic string; it is not sound: its parity is wrong",
  ],
  [
    { event: "header", dump: withPanic("", { architecture: "" }), problem: null },
    "info",
    "KDH from w1 [192.0.2.7]: unknown architecture, 925 MiB, no panic string",
  ],
  [
    { event: "header", dump: DUMP, problem: "the magic is not a kernel dump's" },
    "warning",
    "KDH from w1 [192.0.2.7]; it is not sound: the magic is not a kernel dump's",
  ],
  [
    { event: "key", dump: DUMP },
    "info",
    "EKCD key from w1 [192.0.2.7]: the dump is encrypted",
  ],
  [
    { event: "progress", dump: DUMP },
    "info",
    "1.00 MiB from w1 [192.0.2.7] so far, 512 KiB/s",
  ],
  [
    { event: "completed", ...FINISHED },
    "info",
    "Completed dump from client w1 [192.0.2.7] (lab/vmcore.w1.3): 1.00 MiB in 2.0 s, 512 KiB/s, 2 resends",
  ],
  [
    { event: "completed", ...FINISHED, dump: { ...DUMP, savedPackets: 7 } },
    "info",
    "Completed dump from client w1 [192.0.2.7] (lab/vmcore.w1.3): 1.00 MiB in 2.0 s, 512 KiB/s, 2 resends; " +
    "saved 7 packets that early acks would have lost",
  ],
  [
    {
      event: "incomplete",
      ...FINISHED,
      outcome: "error",
      complete: false,
      reason: "holes: 1448 of 4096 bytes missing in 1 range",
      missing: [{ start: 0, end: 1448 }],
    },
    "warning",
    "Incomplete dump from client w1 [192.0.2.7] (lab/vmcore.w1.3): holes: 1448 of 4096 bytes missing in 1 range; " +
    "missing: 0x0-0x5a8 (1448 bytes); 1.00 MiB in 2.0 s, 512 KiB/s, 2 resends",
  ],
  [
    {
      event: "incomplete",
      ...FINISHED,
      outcome: "error",
      complete: false,
      reason: "the server was stopped",
      resumable: true,
    },
    "warning",
    "Incomplete dump from client w1 [192.0.2.7] (lab/vmcore.w1.3): the server was stopped; 1.00 MiB in 2.0 s, " +
    "512 KiB/s, 2 resends; it goes on if the server is started again in time",
  ],
  [
    { event: "incomplete", ...FINISHED, outcome: "timeout", complete: false, reason: "client timed out" },
    "warning",
    "Client 192.0.2.7 timed out (lab/vmcore.w1.3): client timed out; 1.00 MiB in 2.0 s, 512 KiB/s, 2 resends",
  ],
  [
    {
      event: "removed",
      dump: {
        ...{ host: "w1", index: 0, directory: ".", files: ["vmcore.w1.0", "info.w1.0"] },
        ...{ panic: "page fault", receivedAt: "2025-11-21T10:07:02.000Z", bytes: 4096 },
      },
    },
    "info",
    'Removed an old dump of w1: vmcore.w1.0, info.w1.0 (4.00 KiB, received 2025-11-21T10:07:02.000Z, panic "page fault")',
  ],
  [
    {
      event: "notice",
      id: "1",
      client: "192.0.2.7",
      importance: "debug",
      provoked: true,
      text: "an ack could not be sent",
    },
    "debug",
    "Client 192.0.2.7: an ack could not be sent",
  ],
  [
    { event: "refused", client: "192.0.2.7", cause: "rate", reason: "too many", count: 1 },
    "warning",
    "Refused a HERALD from 192.0.2.7: too many",
  ],
  [
    { event: "refused", client: "192.0.2.7", cause: "rate", reason: "too many", count: 40 },
    "warning",
    "Refused 40 more HERALDs from 192.0.2.7: too many",
  ],
  [
    { event: "capacity", dumps: 256, descriptors: 1024 },
    "info",
    "There is room for 256 dumps at once; the process may open 1024 files",
  ],
  [
    { event: "directory", directory: "/var/crash", freeBytes: 2 ** 30, minFreeBytes: 2 ** 20 },
    "info",
    "Dumps go to /var/crash: 1.00 GiB are free, at least 1.00 MiB are kept free",
  ],
];

for (const [event, level, text] of LINES) {
  Deno.test(`describeEvent() says "${text}"`, () => {
    assertEquals([levelOf(event), describeEvent(event)], [level, text]);
  });
}

Deno.test("describeEvent() lists eight of the missing ranges; the event has all", () => {
  const missing = Array.from({ length: 20 }, (_, i) => ({ start: 2 * i, end: 2 * i + 1 }));
  const text = describeEvent({
    event: "incomplete",
    ...{ ...FINISHED, outcome: "error", complete: false, reason: "holes", missing },
  });
  assertEquals(text.match(/0x/g)?.length, 16);
});

Deno.test("isProvoked() tells what strangers can cause without end from what nobody provoked", () => {
  const notice = { event: "notice", id: null, client: null, importance: "warning", text: "x" } as const;
  assertEquals([true, false].map((provoked) => isProvoked({ ...notice, provoked })), [true, false]);
  assertEquals(isProvoked({ event: "completed", ...FINISHED }), false);
  assertEquals(isProvoked({ event: "not-labelled", id: "1", reason: "x" }), false);
});

Deno.test("describeEvent() escapes what came from the network, wherever it stands (P8)", () => {
  fc.assert(fc.property(hostileText, (hostile) => {
    const header = { ...withPanic("").kernelDumpHeader!, panicString: hostile, architecture: hostile };
    const dump: DumpRecord = { ...DUMP, directory: hostile, host: hostile, kernelDumpHeader: header };
    const refused = { event: "refused", client: "192.0.2.7", cause: "rate", count: 1 } as const;
    const removed = { host: hostile, index: 0, directory: ".", files: [hostile], panic: hostile };
    const events: ServerEvent[] = [
      { event: "started", dump },
      { event: "header", dump, problem: hostile },
      { event: "key", dump },
      { event: "progress", dump },
      { event: "incomplete", ...FINISHED, dump, reason: hostile, complete: false, outcome: "error" },
      { event: "completed", ...FINISHED, dump },
      { event: "path-refused", client: "192.0.2.7", path: hostile, reason: hostile },
      { ...refused, reason: hostile },
      { event: "removed", dump: { ...removed, receivedAt: null, bytes: 1 } },
      { event: "link-failed", id: "1", reason: hostile },
      { event: "distrusted", id: "1", receiver: 0, reason: hostile },
      { event: "notice", id: null, client: null, importance: "debug", provoked: true, text: hostile },
      { event: "not-resumed", id: hostile, reason: hostile },
      { event: "not-labelled", id: hostile, reason: hostile },
      { event: "receiver-crashed", receiver: 0, reason: hostile },
      { event: "hook", id: "1", program: hostile, result: { result: "failed", reason: hostile } },
      { event: "hook-output", id: "1", pid: 1, stream: "stdout", line: hostile },
      { event: "stopped-late", left: [hostile] },
      { event: "failed", reason: hostile },
    ];
    for (const event of events) {
      const text = describeEvent(event);
      assert(!UNSAFE_TO_SHOW.test(text), JSON.stringify(text));
    }
  }));
});
