/**
 * What a dump directory holds, checked against the promises.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { parseInfo } from "../../lib/kerneldump/files/read_info.ts";
import { sameBytes } from "../dump_data.ts";
import type { DumpScript } from "./dump_script.ts";

/** Names in a dump directory, without the server's own state. */
export function namesIn(root: string): string[] {
  return Array.from(Deno.readDirSync(root), ({ name }) => name).filter((name) => name !== ".netdump").sort();
}

/** The core file of dump 0 of host `w1`, `undefined` if there is none. */
export function findCore(root: string): string | undefined {
  const cores = namesIn(root).filter((name) => /^vmcore(_encrypted)?\.w1\.0/.test(name));
  assert(cores.length <= 1, `one dump has several cores: ${cores}`);
  return cores[0];
}

/** Last line of the info file of dump 0, `null` if it has none yet, `undefined` without a file. */
export function endingOf(root: string): string | null | undefined {
  return namesIn(root).includes("info.w1.0")
    ? parseInfo(Deno.readTextFileSync(join(root, "info.w1.0")))?.ending
    : undefined;
}

/**
 * All that must be in place before FINISHED is acked (P1), and nothing else.
 *
 * @param hasConveniences bounds and links, which come behind the ack and may fail
 */
export function assertFinal(root: string, dump: DumpScript, hasConveniences = true): void {
  assert(sameBytes(join(root, dump.coreName), dump.core), "the core is not the one that was sent");
  assert(sameBytes(join(root, "kdh.w1.0"), dump.header));
  if (dump.key !== undefined) {
    assert(sameBytes(join(root, "key.w1.0"), dump.key));
    assertEquals(Deno.statSync(join(root, "key.w1.0")).mode! & 0o777, 0o400);
  }
  assertEquals(endingOf(root), "Dump complete");
  const conveniences = ["bounds.w1", "bounds.w1.new", "info.w1.last", "vmcore.w1.last"];
  const names = namesIn(root).filter((name) => hasConveniences || !conveniences.includes(name));
  const expected = ["info.w1.0", "kdh.w1.0", dump.coreName];
  if (dump.key !== undefined) expected.push("key.w1.0");
  if (hasConveniences) {
    assertEquals(Deno.readTextFileSync(join(root, "bounds.w1")), "1\n");
    assertEquals(Deno.readLinkSync(join(root, "vmcore.w1.last")), dump.coreName);
    assertEquals(Deno.readLinkSync(join(root, "info.w1.last")), "info.w1.0");
    expected.push("bounds.w1", "info.w1.last", "vmcore.w1.last");
  }
  assertEquals(names, expected.sort());
}

/** A final name or a "complete" label is only on a whole core, and links lead somewhere (P3, P10). */
export function assertNothingFalse(root: string, dump: DumpScript): void {
  const core = findCore(root);
  if (endingOf(root) === "Dump complete") assertEquals(core, dump.coreName);
  if (core === dump.coreName) {
    assert(sameBytes(join(root, core), dump.core), "a core has a final name and is not whole");
  }
  for (const name of namesIn(root)) {
    if (!name.endsWith(".last")) continue;
    assert(namesIn(root).includes(Deno.readLinkSync(join(root, name))), `${name} leads nowhere`);
  }
}
