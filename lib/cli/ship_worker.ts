/**
 * Ships a dump directory, as a worker whose permissions hold it to the directory, its outbox and the store.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { ObjectStore } from "../archive/object_store.ts";
import { Outbox } from "../archive/outbox.ts";
import { Pacer } from "../archive/pace.ts";
import { ShipLoop } from "../archive/ship_loop.ts";
import type { ShipOrder, ShipSettings } from "../archive/ship_orders.ts";
import { Shipper } from "../archive/shipper.ts";
import { examine } from "../inspect/examine.ts";
import { makeReport } from "../inspect/tell/report.ts";
import { realFileSystem } from "../os/file_system.ts";

const worker = self as unknown as DedicatedWorkerGlobalScope;
let pacer: Pacer | undefined;
let loop: ShipLoop | undefined;
let arriving = 0;

async function start(settings: ShipSettings): Promise<void> {
  const outbox = await Outbox.open(realFileSystem, settings.root);
  const pace = pacer = new Pacer(settings.rate);
  pace.busy = arriving;
  const shipper = new Shipper({
    root: settings.root,
    prefix: settings.prefix,
    outbox,
    store: new ObjectStore(settings.store),
    pace: (sizeBytes) => pace.wait(sizeBytes),
    settleMs: settings.settleMs,
    describe,
    report: (report) => worker.postMessage(report),
  });
  loop = new ShipLoop(shipper);
  await loop.run();
}

/** What `inspect --json` says of a core file; `null` if it cannot be read. */
async function describe(path: string): Promise<unknown> {
  try {
    const examination = await examine(path, { thoroughness: "look", privateKey: null });
    try {
      return makeReport(examination.findings, { messages: false, priorities: false });
    } finally {
      examination.close();
    }
  } catch {
    return null;
  }
}

worker.onmessage = ({ data }: MessageEvent<ShipOrder>) => {
  if (data.order === "start") {
    // What is thrown here is the crash of this worker, which its owner sees.
    void start(data.settings);
    return;
  }
  arriving = data.dumps;
  if (pacer !== undefined) pacer.busy = arriving;
  loop?.wake();
};
