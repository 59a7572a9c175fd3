/**
 * Runs a receiver as a worker whose permissions hold it to the server's addresses, its clients' ports and the dump
 * directory.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { realFileSystem } from "../../os/file_system.ts";
import type { Order } from "../orders.ts";
import { Receiver } from "./receiver.ts";
import { ReportGate } from "./report_gate.ts";

const LONG_JOURNAL_BYTES = 1024 * 1024;

const worker = self as unknown as DedicatedWorkerGlobalScope;
let receiver: Receiver | undefined;
const gate = new ReportGate((report) => worker.postMessage(report));

worker.onmessage = (event: MessageEvent<Order>) => {
  if (event.data.order === "taken") gate.taken(event.data.reports);
  else if (event.data.order === "start") {
    receiver = new Receiver(event.data.settings, {
      fs: realFileSystem,
      report: (report) => gate.pass(report),
      longJournalBytes: LONG_JOURNAL_BYTES,
      bind: (hostname, port) => Deno.listenDatagram({ transport: "udp", hostname, port }),
    });
    void receiver.loop.tune();
  } else void receiver?.obey(event.data);
};
