import { assertEquals } from "@std/assert";
import { type PoolEvents, ReceiverPool } from "../../lib/serve/receiver_pool.ts";

const settings = {} as ConstructorParameters<typeof ReceiverPool>[1];
const rights = {
  root: "/dumps",
  addresses: ["192.0.2.1"],
  clients: ["0.0.0.0/0"],
  ackPort: 20024,
  ffi: [],
};

/** A worker that takes orders and does nothing. */
function idleWorker(orders: unknown[]): Worker {
  return Object.assign(new EventTarget(), {
    postMessage: (order: unknown) => orders.push(order),
    terminate: () => {},
  }) as unknown as Worker;
}

Deno.test("ReceiverPool gives a session to the receiver with the fewest, among those that may bind its address", () => {
  const orders: unknown[][] = [];
  const granted: unknown[] = [];
  const events: PoolEvents = { report: () => {}, crashed: () => {}, failed: () => {} };
  const pool = new ReceiverPool(3, settings, rights, events, (_, permissions) => {
    granted.push(permissions.net);
    orders.push([]);
    return idleWorker(orders.at(-1)!);
  });
  const places = Array.from({ length: 6 }, () => pool.place("192.0.2.1", 1));
  assertEquals(places, [0, 1, 2, 0, 1, 2]);
  pool.release(1, 1);
  assertEquals(pool.place("192.0.2.1", 1), 1);
  assertEquals([pool.place("192.0.2.9", 1), pool.running], [3, [0, 1, 2, 3]]);
  // The new one may do what the old ones may, so it takes its share of all sessions.
  assertEquals([pool.place("192.0.2.1", 1), pool.place("192.0.2.9", 1)], [3, 3]);
  assertEquals(granted.at(-1), ["192.0.2.1", "192.0.2.9", "0.0.0.0/0:20024"]);
  assertEquals(orders.map((list) => list.length), [1, 1, 1, 1]);
});

Deno.test("ReceiverPool counts the sessions of a receiver that crashed for the one in its place", () => {
  const workers: Worker[] = [];
  const crashed: number[] = [];
  const events: PoolEvents = {
    report: () => {},
    crashed: (receiver) => crashed.push(receiver),
    failed: () => {},
  };
  const pool = new ReceiverPool(2, settings, rights, events, () => {
    workers.push(idleWorker([]));
    return workers.at(-1)!;
  });
  for (let i = 0; i < 6; i++) pool.place("192.0.2.1", 1);
  workers[0]!.onerror!(
    Object.assign(new Event("error", { cancelable: true }), { message: "boom" }) as ErrorEvent,
  );
  assertEquals([crashed, workers.length], [[0], 3]);
  pool.release(1, 1);
  assertEquals([pool.place("192.0.2.1", 1), pool.place("192.0.2.1", 1)], [1, 0]);
});
