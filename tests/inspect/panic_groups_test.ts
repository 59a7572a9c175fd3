import { assertEquals, assertMatch } from "@std/assert";
import { PanicGroups, type Sighting } from "../../lib/inspect/panic_groups.ts";
import { formatGroups } from "../../lib/inspect/tell/groups_text.ts";
import { styleFor } from "../../lib/text/style.ts";

function groupsOf(sightings: readonly Sighting[]) {
  const groups = new PanicGroups();
  for (const sighting of sightings) groups.add(sighting);
  return groups.list();
}

const seen = (host: string | null, day: number | null, signature: string | null, panic = signature) => ({
  ...{ host, signature, panic },
  time: day === null ? null : `2026-01-0${day}T00:00:00Z`,
});

Deno.test("equal panics are one group, with its hosts, first and last; the most frequent first", () => {
  const groups = groupsOf([
    seen("w10", 3, "boom *", "boom 3"),
    seen("w9", 5, "boom *", "boom 5"),
    seen("w9", 1, "boom *", "boom 1"),
    seen("w1", 9, null, null),
    seen("db", 2, "once"),
    seen("db", 4, "once later"),
    seen(null, null, "without a time"),
    seen("w2", null, null, null),
    seen("w2", null, null, null),
  ]);
  assertEquals(groups.map(({ signature, count, hosts }) => [signature, count, hosts.join()]), [
    ["boom *", 3, "w9,w10"],
    ["once later", 1, "db"],
    ["once", 1, "db"],
    ["without a time", 1, ""],
    [null, 3, "w1,w2"],
  ]);
  assertEquals(groups[0], {
    signature: "boom *",
    count: 3,
    hosts: ["w9", "w10"],
    first: "2026-01-01T00:00:00Z",
    last: "2026-01-05T00:00:00Z",
    panic: "boom 5",
  });
});

Deno.test("formatGroups() gives a line a group, hosts counted where they are many, nothing unescaped", () => {
  const many = Array.from({ length: 12 }, (_, n) => seen(`w${n}`, 1 + n % 5, "x", "x\x1b[31m\ny"));
  const [head, first, none] = formatGroups(
    groupsOf([...many, seen("a", null, null, null)]),
    styleFor(false, true),
    null,
  ).split("\n");
  assertMatch(head!, /^SAME +DUMPS +HOSTS +FIRST \(UTC\) +LAST \(UTC\) +PANIC$/);
  assertMatch(
    first!,
    /^[0-9a-f]{6} +12 +w0, w1, w2 and 9 more +2026-01-01 00:00 +2026-01-05 00:00 +x\\x1b\[31m\\ny$/,
  );
  assertMatch(none!, /^- +1 +a +- +- +\(no panic known\)$/);
});

Deno.test("a panic without end is told by its beginning", () => {
  const lineOf = (width: number | null) =>
    formatGroups(groupsOf([seen("w1", 1, "A".repeat(2000))]), styleFor(false, true), width).split("\n")[1]!;
  assertEquals(lineOf(null).length < 250, true);
  assertEquals(lineOf(100).length, 100);
});
