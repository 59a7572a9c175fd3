/** A session that is taken up needs the very port that it had: its client sends there. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { realFileSystem } from "../../../lib/os/file_system.ts";
import type { Report } from "../../../lib/serve/orders.ts";
import type { Clock } from "../../../lib/serve/receiver/clock.ts";
import { Receiver } from "../../../lib/serve/receiver/receiver.ts";
import { journalLine } from "../../../lib/serve/session/journal.ts";
import type { Peer } from "../../../lib/udp/datagram_socket.ts";
import { TempDir } from "../../temp_dir.ts";
import { type MemorySocket, MemorySockets } from "../../udp/memory_socket.ts";
import { SimulatedTime } from "../simulated_time.ts";

const PORT = 40_123;
const SETTINGS = {
  ...{ defaultPath: ".", ackPort: 20024, timeoutMs: 60_000, lingerMs: 60_000, mostBytes: null, minFree: 0 },
  ...{ native: null, keep: null, trace: false },
};

/** What becomes of a session whose port another program has until a time. */
async function takeUp(
  freeAtMs: number,
): Promise<{ ackedAtMs: number | undefined; reports: Report["report"][] }> {
  using temp = new TempDir("disk");
  const time = new SimulatedTime();
  const clock: Clock = {
    now: () => time.nowMs,
    unixMs: () => time.nowMs,
    after: (waitMs, action) => {
      let isCancelled = false;
      time.after(waitMs, () => isCancelled ? undefined : action());
      return () => isCancelled = true;
    },
  };
  let ackedAtMs: number | undefined;
  class Sockets extends MemorySockets {
    override bind(local: string, port: number, peer: Peer) {
      if (time.nowMs < freeAtMs) throw new Deno.errors.AddrInUse();
      assertEquals(port, PORT);
      return super.bind(local, port, peer);
    }
  }
  const sockets = new Sockets({
    bound: (_: MemorySocket) => {},
    acked: () => ackedAtMs ??= time.nowMs,
    soon: (burst) => time.after(0, burst),
  });
  const reports: Report["report"][] = [];
  const report = ({ report }: Report) => {
    if (report !== "activity") reports.push(report);
  };
  const receiver = new Receiver({ ...SETTINGS, root: temp.path }, {
    ...{ fs: realFileSystem, report, sockets, clock, longJournalBytes: Infinity },
  });
  const session = { id: "left", client: "192.0.2.2", local: "192.0.2.1", port: PORT, path: null };
  Deno.mkdirSync(join(temp.path, ".netdump"));
  Deno.writeTextFileSync(
    join(temp.path, ".netdump", "left.journal"),
    journalLine({ format: 2, session: { ...session, heraldSeqno: 1, startedMs: 0 } }),
  );
  const resumed = receiver.obey({ order: "resume", id: "left" });
  for (let atMs = 0; atMs <= 15_000; atMs += 10) {
    await time.run(atMs, () => false);
    for (let i = 0; i < 5; i++) await undefined;
  }
  await resumed;
  await receiver.obey({ order: "stop" });
  return { ackedAtMs, reports };
}

Deno.test("a port that another program has for a while is waited for", async () => {
  const { ackedAtMs, reports } = await takeUp(11_000);
  assertEquals([ackedAtMs, reports], [11_000, ["opened", "closed", "stopped"]]);
});

Deno.test("a session whose port another program keeps is given up when its client has given up, too", async () => {
  const { ackedAtMs, reports } = await takeUp(Infinity);
  assertEquals([ackedAtMs, reports], [undefined, ["closed", "stopped"]]);
});
