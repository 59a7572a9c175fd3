import { assertEquals } from "@std/assert";
import type { Order } from "../../../lib/serve/orders.ts";
import { OrderQueue } from "../../../lib/serve/receiver/order_queue.ts";

const NAME = { label: "w1", hostName: null };

/** A queue, what was obeyed of it, and the turns of its event loop. */
function queueOf() {
  const obeyed: string[] = [];
  const turns: (() => void)[] = [];
  const after = (_waitMs: number, action: () => void) => {
    turns.push(action);
    return () => {};
  };
  const queue = new OrderQueue({ after }, (order) => {
    obeyed.push("id" in order ? `${order.order} ${order.id}` : order.order);
  });
  return {
    obeyed,
    take: (...orders: Order[]) => orders.forEach((order) => queue.take(order)),
    /** Lets a turn pass. */
    turn: () => turns.shift()?.(),
    turns,
  };
}

const resume = (id: string): Order => ({ order: "resume", id });

Deno.test("OrderQueue takes up one session a turn, the first ordered first, and lets nobody else wait for them", () => {
  const { obeyed, take, turn, turns } = queueOf();
  take(resume("a"), resume("b"), { order: "give-up", id: "c", reason: "lost" });
  assertEquals(obeyed, []);
  take({ order: "ack-herald", id: "x" }, { order: "ping", number: 1 }, { order: "evict", id: "y" });
  assertEquals(obeyed.splice(0), ["ack-herald x", "ping", "evict y"]);
  for (const expected of ["resume a", "resume b", "give-up c"]) {
    assertEquals(turns.length, 1);
    turn();
    assertEquals(obeyed.splice(0), [expected]);
  }
  assertEquals(turns.length, 0);
  take(resume("d"));
  turn();
  assertEquals([obeyed, turns.length], [["resume d"], 0]);
});

Deno.test("OrderQueue keeps the order of what is ordered for one session", () => {
  const { obeyed, take, turn } = queueOf();
  take(resume("a"), resume("b"));
  take({ order: "name", id: "b", name: NAME }, { order: "name", id: "a", name: NAME }, {
    order: "evict",
    id: "b",
  });
  assertEquals(obeyed, []);
  turn();
  assertEquals(obeyed.splice(0), ["resume a", "name a"]);
  take({ order: "evict", id: "a" });
  assertEquals(obeyed.splice(0), ["evict a"]);
  turn();
  assertEquals(obeyed, ["resume b", "name b", "evict b"]);
});

Deno.test("OrderQueue has all sessions taken up before a receiver stops, so that each of them is labelled", () => {
  const { obeyed, take, turn } = queueOf();
  take(resume("a"), resume("b"), { order: "name", id: "b", name: NAME }, { order: "stop" });
  assertEquals(obeyed, ["resume a", "resume b", "name b", "stop"]);
  turn();
  assertEquals(obeyed.length, 4);
});
