/**
 * What a whole dump of one client looks like in the dump directory.
 */
import { assert, assertEquals } from "@std/assert";
import { parseInfo } from "../../lib/kerneldump/files/read_info.ts";
import { sameBytes } from "../dump_data.ts";
import type { ServerProcess } from "./server_process.ts";
import { PATIENCE_MS } from "../patience.ts";

/** Names of the files of a host in a dump directory. */
export function namesOf(server: ServerProcess, host: string, directory = "."): string[] {
  return server.names(directory).filter((name) => name.includes(`.${host}.`) || name.endsWith(`.${host}`));
}

/** Asserts that a host's only dump is complete: its files are there, no others, and they say the same. */
export async function assertOneCompleteDump(
  server: ServerProcess,
  host: string,
  core: Uint8Array,
  { coreName = `vmcore.${host}.0`, key = undefined as Uint8Array | undefined, directory = "." } = {},
): Promise<void> {
  const expected = [
    `bounds.${host}`,
    `info.${host}.0`,
    `info.${host}.last`,
    `kdh.${host}.0`,
    coreName,
    `vmcore.${host}.last`,
    ...(key === undefined ? [] : [`key.${host}.0`]),
  ];
  expected.sort();
  for (const lateMs = Date.now() + PATIENCE_MS; Date.now() < lateMs;) {
    if (namesOf(server, host, directory).join() === expected.join()) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals(namesOf(server, host, directory), expected);
  assert(sameBytes(server.path(directory, coreName), core), `${coreName} is not what was sent`);
  if (key !== undefined) assert(sameBytes(server.path(directory, `key.${host}.0`), key));
  assertEquals(parseInfo(server.text(directory, `info.${host}.0`))?.ending, "Dump complete");
  assertEquals(server.text(directory, `bounds.${host}`), "1\n");
  assertEquals(Deno.readLinkSync(server.path(directory, `vmcore.${host}.last`)), coreName);
  assertEquals(Deno.readLinkSync(server.path(directory, `info.${host}.last`)), `info.${host}.0`);
}
