import { assertEquals, assertThrows } from "@std/assert";
import { Flight, MessageState } from "../../../lib/send/sender/flight.ts";
import { seededRandom } from "../../helpers.ts";

Deno.test("Flight keeps the order of last transmissions, and lost messages in the order they were lost", () => {
  const flight = new Flight(8);
  for (let i = 0; i < 4; i++) flight.sendNew(i);
  assertEquals([flight.size, flight.earliest, flight.end], [4, 0, 4]);
  flight.lose(1);
  flight.lose(0);
  assertEquals([flight.size, flight.lostSize, flight.earliest], [2, 2, 2]);
  assertEquals([flight.sendLost(10), flight.sendLost(11)], [1, 0]);
  assertEquals([flight.tries(1), flight.firstSentAt(1), flight.sentAt(1), flight.order(0)], [2, 1, 10, 5]);
  flight.acknowledge(2);
  flight.acknowledge(3);
  assertEquals([flight.earliest, flight.oldest], [1, 0]);
  flight.acknowledge(0);
  assertEquals(flight.oldest, 1);
  flight.acknowledge(1);
  assertEquals([flight.oldest, flight.size, flight.earliest], [4, 0, -1]);
});

Deno.test("Flight behaves like a plain list of messages through 20,000 random steps", () => {
  const random = seededRandom(3);
  const flight = new Flight(16);
  const states = new Map<number, MessageState>();
  let inFlight: number[] = [];
  let lost: number[] = [];
  const without = (list: number[], number: number) => list.filter((other) => other !== number);
  for (let step = 0; step < 20_000; step++) {
    const choice = random();
    if (choice < 0.4 && flight.hasRoom) {
      const number = flight.sendNew(step);
      states.set(number, MessageState.IN_FLIGHT);
      inFlight.push(number);
    } else if (choice < 0.55 && lost.length > 0) {
      const number = flight.sendLost(step);
      assertEquals(number, lost.shift());
      states.set(number, MessageState.IN_FLIGHT);
      inFlight.push(number);
    } else if (choice < 0.7 && inFlight.length > 0) {
      const number = inFlight[Math.floor(random() * inFlight.length)]!;
      flight.lose(number);
      states.set(number, MessageState.LOST);
      inFlight = without(inFlight, number);
      lost.push(number);
    } else {
      const open = [...inFlight, ...lost];
      if (open.length === 0) continue;
      const number = open[Math.floor(random() * open.length)]!;
      flight.acknowledge(number);
      states.set(number, MessageState.ACKNOWLEDGED);
      inFlight = without(inFlight, number);
      lost = without(lost, number);
    }
    const oldest = Math.min(...inFlight, ...lost, flight.end);
    assertEquals(
      [flight.size, flight.lostSize, flight.earliest, flight.oldest],
      [inFlight.length, lost.length, inFlight[0] ?? -1, oldest],
      `step ${step}`,
    );
    for (let number = oldest; number < flight.end; number++) {
      assertEquals(flight.state(number), states.get(number));
    }
  }
});

Deno.test("Flight wants a power of two", () => {
  assertThrows(() => new Flight(12), RangeError);
});
