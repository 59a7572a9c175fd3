import { assertEquals } from "@std/assert";
import { checkRunning, type Finding } from "../../lib/serve/readiness.ts";
import { ReadinessWatch } from "../../lib/serve/readiness_watch.ts";

const FULL: Finding = { check: "free-space", problem: "1 GiB free", advice: "make room", blocks: true };
const PATH: Finding = { check: "path", problem: "no lab", advice: "make it", blocks: false };

Deno.test("the watch tells a change for the worse once, and that it is well again", async () => {
  let found: Finding[] = [PATH];
  const told: string[] = [];
  const watch = new ReadinessWatch(
    () => Promise.resolve(found),
    (event) =>
      told.push(
        event.event === "mended" || event.event === "not-ready" ? `${event.event} ${event.check}` : "",
      ),
  );
  await watch.look();
  assertEquals(told.splice(0), ["not-ready path"]);
  found = [PATH, FULL];
  assertEquals(await watch.look(), found);
  // Only the figures in its words are new.
  found = [PATH, { ...FULL, problem: "900 MiB free" }];
  await watch.look();
  assertEquals(told.splice(0), ["not-ready free-space"]);
  found = [{ ...PATH, blocks: true }];
  await watch.look();
  assertEquals(told.splice(0), ["not-ready path", "mended free-space"]);
  await Promise.all([watch.look(), watch.look()]);
  assertEquals(told, []);
});

Deno.test("the watch looks again by itself until it is stopped", async () => {
  const looked = Promise.withResolvers<void>();
  let looks = 0;
  const watch = new ReadinessWatch(() => {
    if (++looks === 3) looked.resolve();
    return Promise.resolve([]);
  }, () => {});
  await watch.start(1);
  await looked.promise;
  watch.stop();
});

Deno.test("checkRunning() finds a server without addresses, silent receivers, and one that is full", () => {
  const well = { addresses: ["192.0.2.1"], busy: 1, mostSessions: 2, silent: 0, receivers: 2 };
  const find = (special: Partial<typeof well>) =>
    checkRunning({ ...well, ...special }).map(({ check, blocks }) => [check, blocks]);
  assertEquals(find({}), []);
  assertEquals(find({ addresses: [] }), [["addresses", true]]);
  assertEquals(find({ silent: 1 }), [["receivers", false]]);
  assertEquals(find({ silent: 2 }), [["receivers", true]]);
  assertEquals(find({ busy: 2 }), [["sessions", true]]);
});
