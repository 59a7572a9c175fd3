import { assert, assertEquals } from "@std/assert";
import { decodeHeraldPath } from "../../lib/protocol/herald_path.ts";
import {
  checkHeader,
  decodeMessage,
  encodeMessage,
  HEADER_SIZE,
  type MessageType,
} from "../../lib/protocol/message.ts";
import { realFileSystem } from "../../lib/os/file_system.ts";
import { TempDir } from "../temp_dir.ts";
import { amount, tell } from "./amounts.ts";
import { namesIn } from "./dump_directory_state.ts";
import { plainDump } from "./dump_script.ts";
import { ReceiverHarness } from "./receiver_harness.ts";
import { SessionWitness } from "./session_witness.ts";
import { Dice, EXTREMES, mutate, WildClient } from "./wild_client.ts";
import { WIRES } from "./wires.ts";

/** Datagrams, of all kinds of fuzzing together. */
const DATAGRAMS = amount("NETDUMP_DATAGRAMS", 200_000);
/** Ends a longer run early, in seconds. */
const SECONDS = amount("NETDUMP_FUZZ_SECONDS", 600);

/** Runs `fuzz` with one seed after the other until so many datagrams are through. */
function fuzz(share: number, fuzzOne: (dice: Dice) => number): void {
  const startedMs = performance.now();
  let datagrams = 0;
  let seed = 1;
  for (; datagrams < DATAGRAMS * share && performance.now() - startedMs < SECONDS * 1000; seed++) {
    try {
      datagrams += fuzzOne(new Dice(seed));
    } catch (error) {
      throw new Error(`Seed ${seed}`, { cause: error });
    }
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  tell("NETDUMP_DATAGRAMS", `${datagrams} datagrams from ${seed - 1} seeds in ${seconds} s`);
}

Deno.test("decoders take any datagram without an error, and agree on what is a message", () => {
  fuzz(0.3, (dice) => {
    for (let i = 0; i < 100; i++) {
      const message = {
        type: 1 + dice.below(5) as MessageType,
        seqno: dice.oneOf([dice.below(100), dice.oneOf(EXTREMES)]),
        offset: dice.oneOf([dice.below(2 ** 30), dice.below(2 ** 52), dice.oneOf(EXTREMES)]),
        payload: dice.bytes(dice.oneOf([0, 1, dice.below(60)])),
      };
      const datagram = mutate(dice, encodeMessage(message));
      const decoded = decodeMessage(datagram);
      const error = checkHeader(
        new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength),
        0,
        datagram.byteLength,
      );
      assertEquals(typeof decoded === "string" ? decoded : undefined, error);
      if (typeof decoded === "string") continue;
      assert(decoded.payload.byteLength === datagram.byteLength - HEADER_SIZE);
      assert(decoded.offset >= 0 && Number.isSafeInteger(decoded.offset + decoded.payload.byteLength));
      checkPath(decoded.payload);
    }
    return 100;
  });
});

function checkPath(payload: Uint8Array): void {
  const path = decodeHeraldPath(payload);
  if (path.kind !== "path") return;
  for (const component of path.components) {
    // deno-lint-ignore no-control-regex
    assert(!/^\.{0,2}$|[/\\:\u0000-\u001f\u007f-\u009f\ufffd]/.test(component), JSON.stringify(path.text));
  }
}

Deno.test("decodeHeraldPath() lets no path through that could lead out of the dump directory (P5)", () => {
  const pieces = [
    "..",
    ".",
    "/",
    "//",
    "a",
    "lab",
    "\0",
    "\n",
    "\\",
    ":",
    "\u009b",
    "é",
    "\xff",
    "x".repeat(300),
  ];
  fuzz(0.2, (dice) => {
    for (let i = 0; i < 100; i++) {
      const text = Array.from({ length: dice.below(8) }, () => dice.oneOf(pieces)).join("");
      const payload = dice.happens(0.5)
        ? new TextEncoder().encode(text + (dice.happens(0.9) ? "\0" : ""))
        : Uint8Array.from(text + "\0", (character) => character.charCodeAt(0));
      checkPath(payload);
    }
    return 100;
  });
});

Deno.test("a session takes any messages at any times: no error, no ack of what is not stored, no end of growth", () => {
  const phases = new Map<string, number>();
  fuzz(0.5, (dice) => {
    const client = new WildClient(dice);
    const witness = new SessionWitness(dice.oneOf([0, 1, 1, 1, 0xffffffff]), dice.oneOf([2 ** 20, 2 ** 50]));
    const datagrams = 20 + dice.below(400);
    for (let i = 0; i < datagrams; i++) {
      witness.nowMs += dice.oneOf([0, 0, 0, 0.1, 1, 5, 40, 250, 1000]);
      const message = decodeMessage(client.next());
      if (typeof message !== "string") witness.take(message);
    }
    const { phase } = witness.session;
    phases.set(phase, (phases.get(phase) ?? 0) + 1);
    return datagrams;
  });
  // The fuzzer gets somewhere.
  for (const phase of ["receiving", "finished", "ended"]) assert((phases.get(phase) ?? 0) > 0, phase);
});

for (const [where, openWire] of WIRES) {
  Deno.test(`a receiver takes any datagrams ${where}: it acks nothing that was not sent, and goes on`, async () => {
    let ended = 0;
    for (let seed = 1; seed <= amount("NETDUMP_WILD_CLIENTS", 40); seed++) {
      using temp = new TempDir();
      Deno.mkdirSync(`${temp.path}/.netdump`);
      const dice = new Dice(seed);
      const client = new WildClient(dice);
      const receiver = new ReceiverHarness(temp.path, realFileSystem, {
        openWire,
        settings: { mostBytes: 2 ** 40 },
      });
      const { heraldSeqno } = await receiver.open();
      const sent = new Set([heraldSeqno]);
      for (let burst = 0; burst < 10; burst++) {
        for (let i = dice.below(60); i >= 0; i--) {
          const datagram = client.next();
          const message = decodeMessage(datagram);
          if (typeof message !== "string") sent.add(message.seqno);
          receiver.deliver(datagram);
        }
        await new Promise((resolve) => setTimeout(resolve, dice.below(3)));
      }
      assertEquals(receiver.acked.filter((seqno) => !sent.has(seqno)), [], `seed ${seed}`);
      const finished = receiver.reports.filter(({ report }) => report === "finished");
      assert(finished.length <= 1, `seed ${seed}`);
      ended += finished.length;
      // The next dump of the client is received as if nothing had been.
      const dump = plainDump();
      await receiver.open();
      for (const one of dump.bursts) assert(await receiver.send(...one), `seed ${seed}`);
      await receiver.stop();
      assert(namesIn(temp.path).some((name) => name.startsWith("vmcore.w1.")), `seed ${seed}`);
    }
    // The fuzzer gets somewhere.
    assert(ended > 0, "no dump ended");
  });
}
