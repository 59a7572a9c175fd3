/**
 * Groups of equal panics as a table for people.
 *
 * @module
 */

import { signatureTag } from "../../kerneldump/files/panic_signature.ts";
import type { Style } from "../../text/style.ts";
import { formatTable, truncate } from "../../text/table.ts";
import type { PanicGroup } from "../panic_groups.ts";
import { told } from "./told.ts";

const HEADS = ["SAME", "DUMPS", "HOSTS", "FIRST (UTC)", "LAST (UTC)", "PANIC"];
const ALIGNMENTS = ["left", "right"] as const;
/** Hosts that are named; the others are counted. */
const MOST_HOSTS = 3;
/** A panic is told by its beginning; `--json` has all of it. */
const PANIC_WIDTH = 160;

/** Formats the groups, a line each. */
export function formatGroups(groups: readonly PanicGroup[], style: Style): string {
  const rows = groups.map(({ signature, count, hosts, first, last, panic }) => [
    signature === null ? "-" : signatureTag(signature),
    `${count}`,
    formatHosts(hosts),
    formatWhen(first),
    formatWhen(last),
    panic === null ? "(no panic known)" : truncate(told(panic), PANIC_WIDTH),
  ]);
  const lines = formatTable([HEADS, ...rows], ALIGNMENTS, (cell, row) => row === 0 ? style.bold(cell) : cell);
  return lines.join("\n") + "\n";
}

function formatHosts(hosts: readonly string[]): string {
  if (hosts.length === 0) return "-";
  const named = hosts.slice(0, MOST_HOSTS).map(told).join(", ");
  return hosts.length > MOST_HOSTS ? `${named} and ${hosts.length - MOST_HOSTS} more` : named;
}

function formatWhen(time: string | null): string {
  return time === null ? "-" : told(time.slice(0, 16).replace("T", " "));
}
