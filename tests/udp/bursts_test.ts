import { assertEquals } from "@std/assert";
import { type Bursting, Bursts } from "../../lib/udp/bursts.ts";
import { EventLoop } from "../../lib/udp/event_loop.ts";

/** A session that counts how often its burst ended, and how much it had then. */
class FakeSession implements Bursting {
  gathered = 0;
  readonly ends: number[] = [];

  endOfBurst(): void {
    this.ends.push(this.gathered);
    this.gathered = 0;
  }
}

async function withBursts(test: (bursts: Bursts, loop: EventLoop) => Promise<void>): Promise<void> {
  const loop = new EventLoop();
  try {
    await test(new Bursts(loop), loop);
  } finally {
    loop.close();
  }
}

async function turns(loop: EventLoop, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await loop.turn();
}

Deno.test("Bursts ends a burst that has come as a whole in one turn, once", async () => {
  await withBursts(async (bursts, loop) => {
    const session = new FakeSession();
    session.gathered = 1;
    bursts.watch(session);
    bursts.watch(session);
    await turns(loop, 5);
    assertEquals(session.ends, [1]);
  });
});

Deno.test("Bursts leaves a run alone that still grows, however many turns go by", async () => {
  await withBursts(async (bursts, loop) => {
    const session = new FakeSession();
    for (let turn = 0; turn < 20; turn++) {
      session.gathered++;
      bursts.watch(session);
      await loop.turn();
    }
    assertEquals(session.ends, []);
    await turns(loop, 3);
    assertEquals(session.ends, [20]);
  });
});

Deno.test("Bursts ends the burst of one session while another's goes on", async () => {
  await withBursts(async (bursts, loop) => {
    const quiet = new FakeSession();
    const busy = new FakeSession();
    quiet.gathered = busy.gathered = 1;
    bursts.watch(quiet);
    bursts.watch(busy);
    for (let turn = 0; turn < 5; turn++) {
      busy.gathered++;
      await loop.turn();
    }
    assertEquals([quiet.ends, busy.ends], [[1], []]);
  });
});

Deno.test("Bursts counts what arrives together with the turn itself", async () => {
  await withBursts(async (bursts, loop) => {
    const session = new FakeSession();
    session.gathered = 1;
    bursts.watch(session);
    await loop.turn();
    // The turn has come, and so has a datagram, one microtask later.
    await undefined;
    session.gathered++;
    for (let i = 0; i < 8; i++) await undefined;
    assertEquals(session.ends, []);
    await turns(loop, 3);
    assertEquals(session.ends, [2]);
  });
});

Deno.test("Bursts has acks sent that wait, though nothing was gathered, again if not all could be", async () => {
  await withBursts(async (bursts, loop) => {
    let left = 3;
    let ends = 0;
    const session: Bursting = {
      gathered: 0,
      endOfBurst: () => {
        ends++;
        if (--left > 0) bursts.watch(session);
      },
    };
    bursts.watch(session);
    await loop.turn();
    for (let i = 0; i < 8; i++) await undefined;
    assertEquals(ends, 1);
    await turns(loop, 8);
    assertEquals(ends, 3);
  });
});

Deno.test("Bursts forgets a session that was closed", async () => {
  await withBursts(async (bursts, loop) => {
    const session = new FakeSession();
    session.gathered = 1;
    bursts.watch(session);
    bursts.forget(session);
    await turns(loop, 3);
    assertEquals(session.ends, []);
  });
});
