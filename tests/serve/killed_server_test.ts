import { assert, assertGreater, assertLess } from "@std/assert";
import { amount, tell } from "./amounts.ts";
import { type DumpModel, playDump } from "./dump_model.ts";
import { KERNEL_KINDS } from "./kernel_client_model.ts";

const DUMPS = amount("NETDUMP_DUMPS", 2000);
const MTUS = [576, 1400, 1460, 1500, 2100, 9000, 1076];

/**
 * The server of each dump is killed with this chance at each of its steps: before and within a write to the core or
 * to the journal, before acks are sent, before and after a dump is made final.
 */
const PATHS: Readonly<Record<string, { readonly kill: number; readonly loss: number }>> = {
  "a good path": { kill: 0.02, loss: 0 },
  "a path that loses 5 %": { kill: 0.01, loss: 0.05 },
  "a path that loses 20 %": { kill: 0.005, loss: 0.2 },
};

for (const [name, { kill, loss }] of Object.entries(PATHS)) {
  Deno.test(`dumps to a server that is killed again and again arrive whole over ${name} (P9)`, async () => {
    const dumps = Math.ceil(DUMPS / 6);
    const sum = { finished: 0, kills: 0, finishedAfterKill: 0, lost: 0, toldAsHoled: 0 };
    for (let seed = 1; seed <= dumps; seed++) {
      const model: DumpModel = {
        mtu: MTUS[seed % MTUS.length]!,
        kind: KERNEL_KINDS[Math.floor(seed / MTUS.length) % KERNEL_KINDS.length]!,
        dumpBytes: 4096 * (16 + (seed * 7) % 64),
        kernel: { shift: seed % 5 === 0 ? "vanishing" : "wrapping" },
        faults: { loss, duplicate: loss / 2 },
        ackFaults: { loss },
        server: { kill, downMs: 3000, condense: seed % 2 === 0, finalizeMs: 1500 },
      };
      const { finished, complete, identical, server, lost } = await playDump(model, seed);
      const what = `Seed ${seed}: ${JSON.stringify(model)}`;
      assert(!complete || identical, `Called complete with holes: ${what}`);
      // A packet that is lost in eight rounds in a row passes for one that does not exist (see acknowledgement.ts); that is told.
      if (finished && !identical && loss >= 0.2) sum.toldAsHoled++;
      else assert(!finished || identical, `Finished with holes: ${what}`);
      assert(!finished || complete || !identical, `Whole, and not called complete: ${what}`);
      sum.kills += server.kills;
      sum.lost += lost;
      if (finished) sum.finished++;
      if (finished && server.kills > 0) sum.finishedAfterKill++;
    }
    tell("NETDUMP_DUMPS", `${dumps} dumps over ${name}: ${JSON.stringify(sum)}`);
    assertLess(sum.toldAsHoled, dumps / 1000);
    // The client's patience is twelve transmissions, and dead servers use it up.
    assertGreater(sum.finished, dumps * 0.9);
    assertGreater(sum.finishedAfterKill, dumps / 4);
  });
}
