/**
 * Finds the sessions that an earlier server left behind, and says which can be taken up again (P9). Those that
 * cannot are labelled.
 *
 * @module
 */
import { join } from "@std/path";
import { describeError, realFileSystem } from "./file_system.ts";
import { parseInfo } from "../kerneldump/info.ts";
import { parseJournal, type SessionIdentity } from "./journal.ts";
import { dumpNames } from "./names.ts";
import { HERALD_PATIENCE_MS } from "./session.ts";
import type { StateDirectory } from "./state_directory.ts";
import { resolvePlace } from "./dump_directory.ts";

/** What was found. */
export interface FoundSessions {
  /** Sessions with a journal. */
  readonly withData: readonly SessionIdentity[];
  /** Sessions whose HERALD was acked, and that have no data. */
  readonly heralded: readonly SessionIdentity[];
  readonly notices: readonly { readonly text: string }[];
}

/** Finds sessions. `Deno.osUptime` needs `sys` permission "osUptime". */
export function findSessions(
  state: StateDirectory,
  settings: { readonly root: string; readonly timeoutMs: number },
): FoundSessions {
  const nowMs = Date.now();
  const bootedMs = nowMs - Deno.osUptime() * 1000;
  const withData: SessionIdentity[] = [];
  const notices: { text: string }[] = [];
  const seen = new Set<string>();
  for (const { id, writtenMs } of state.journals()) {
    seen.add(id);
    // What was acked before the machine itself went down need not be on its disk.
    const reason = writtenMs < bootedMs
      ? "the server's machine was restarted"
      : nowMs - writtenMs > settings.timeoutMs
      ? "the server was down too long"
      : undefined;
    try {
      if (reason === undefined) {
        withData.push(parseJournal(state.readJournal(id)).head.session);
        continue;
      }
    } catch (error) {
      notices.push({ text: `Cannot take up session ${id}: ${describeError(error)}` });
    }
    const text = giveUp(state, settings.root, id, reason ?? "its journal is damaged");
    if (text !== undefined) notices.push({ text });
  }
  const heralded = state.readHeralds().filter(({ id, startedMs }) =>
    !seen.has(id) && startedMs > bootedMs && nowMs - startedMs < HERALD_PATIENCE_MS
  );
  return { withData, heralded, notices };
}

/**
 * Labels the dump of a session that cannot be taken up, and forgets the session.
 *
 * @returns what to tell the operator; `undefined` if there was no dump, or it was final
 */
export function giveUp(state: StateDirectory, root: string, id: string, reason: string): string | undefined {
  try {
    const { head, records } = parseJournal(state.readJournal(id));
    const index = records.find((record) => "index" in record)?.index;
    if (index === undefined || records.some((record) => "final" in record)) return undefined;
    return labelIncomplete(root, head.place, index, reason);
  } catch (error) {
    return `Cannot label the dump of session ${id}: ${describeError(error)}`;
  } finally {
    state.forget(id);
  }
}

/** Ends the info file of a dump that cannot go on, if it has no ending yet. */
function labelIncomplete(
  root: string,
  place: { readonly directory: string; readonly host: string },
  index: number,
  reason: string,
): string {
  const name = dumpNames(place.host, index).info;
  const path = join(resolvePlace(realFileSystem, root, place.directory), name);
  if (realFileSystem.entry(path)?.kind !== "file") throw new Error(`${name} is gone`);
  const text = realFileSystem.readText(path);
  if (parseInfo(text)?.ending === null) {
    const bytes = new TextEncoder().encode(`Dump incomplete: ${reason}\n`);
    const fd = realFileSystem.reopen(path);
    realFileSystem.write(fd, bytes, 0, bytes.byteLength, realFileSystem.sizeOf(fd));
    realFileSystem.close(fd);
  }
  return `The dump ${name.replace(/^info\./, "vmcore.")} cannot go on: ${reason}`;
}
