/**
 * Runs a receiver as a worker whose permissions hold it to the server's addresses, its clients' ports and the dump
 * directory.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { realFileSystem } from "../../os/file_system.ts";
import { openSockets } from "../../udp/open.ts";
import type { Order, ReceiverSettings } from "../orders.ts";
import { realClock } from "./clock.ts";
import { OrderQueue } from "./order_queue.ts";
import { Receiver } from "./receiver.ts";
import { ReportGate } from "./report_gate.ts";

const LONG_JOURNAL_BYTES = 1024 * 1024;

const worker = self as unknown as DedicatedWorkerGlobalScope;
let orders: OrderQueue | undefined;
const gate = new ReportGate((report) => worker.postMessage(report));

/** Orders that came before the way to move datagrams was chosen. */
const early: Order[] = [];

async function start(settings: ReceiverSettings): Promise<void> {
  const sockets = await openSockets(settings.native);
  const receiver = new Receiver(settings, {
    fs: realFileSystem,
    report: (report) => gate.pass(report),
    sockets,
    clock: realClock,
    longJournalBytes: LONG_JOURNAL_BYTES,
  });
  const { isNative: native, receiveBufferBytes } = sockets;
  gate.pass({ report: "ready", native, receiveBufferBytes });
  orders = new OrderQueue(realClock, (order) => void receiver.obey(order));
  for (const order of early) orders.take(order);
}

worker.onmessage = (event: MessageEvent<Order>) => {
  if (event.data.order === "taken") gate.taken(event.data.reports);
  else if (event.data.order === "start") void start(event.data.settings);
  else if (orders === undefined) early.push(event.data);
  else orders.take(event.data);
};
