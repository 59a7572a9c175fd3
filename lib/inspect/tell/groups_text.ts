/**
 * Groups of equal panics as a table for people.
 *
 * @module
 */

import { signatureTag } from "../../kerneldump/files/panic_signature.ts";
import { type Column, GrowingTable } from "../../text/growing_table.ts";
import type { Style } from "../../text/style.ts";
import { truncate } from "../../text/table.ts";
import type { PanicGroup } from "../panic_groups.ts";
import { told } from "./told.ts";

/** Hosts that are named; the others are counted. */
const MOST_HOSTS = 3;
/** A panic is told by its beginning; `--json` has all of it. */
const PANIC_WIDTH = 160;

const COLUMNS: readonly Column<PanicGroup>[] = [
  { head: "SAME", cell: ({ signature }) => signature === null ? "-" : signatureTag(signature) },
  { head: "DUMPS", cell: ({ count }) => `${count}`, isRight: true },
  { head: "HOSTS", cell: ({ hosts }) => formatHosts(hosts) },
  { head: "FIRST (UTC)", cell: ({ first }) => formatWhen(first) },
  { head: "LAST (UTC)", cell: ({ last }) => formatWhen(last) },
  {
    head: "PANIC",
    cell: ({ panic }) => panic === null ? "(no panic known)" : truncate(told(panic), PANIC_WIDTH),
  },
];

/**
 * Formats the groups, a line each.
 *
 * @param width columns of the terminal, to which panics are cut; `null` if it is none
 */
export function formatGroups(groups: readonly PanicGroup[], style: Style, width: number | null): string {
  return new GrowingTable(COLUMNS, style, width).add(groups);
}

function formatHosts(hosts: readonly string[]): string {
  if (hosts.length === 0) return "-";
  const named = hosts.slice(0, MOST_HOSTS).map(told).join(", ");
  return hosts.length > MOST_HOSTS ? `${named} and ${hosts.length - MOST_HOSTS} more` : named;
}

function formatWhen(time: string | null): string {
  return time === null ? "-" : told(time.slice(0, 16).replace("T", " "));
}
