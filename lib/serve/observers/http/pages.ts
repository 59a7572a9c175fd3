/**
 * The status page and the page of a dump: HTML without script, made here.
 *
 * @module
 */
import { formatCount, formatDuration, formatSize } from "../../../text/units.ts";
import type { DumpRecord } from "../../events.ts";
import type { EndedDump, RunningDump, TimedRefusal } from "../board.ts";
import type { Weakness } from "../server_view.ts";
import { type DumpDetails, groupPanics, type MemoryPiece, type StoredDump } from "../stored_dumps.ts";
import { estimatedEnd, expectedBytes, type Status } from "./api.ts";
import { fragment, Html, lines, type Part } from "./html.ts";
import { STYLE_SHEET } from "./style_sheet.ts";

/** Where the status page is that does not refresh itself. */
export const STILL_PATH = "/still";
/** The page is asked for again after so many seconds. */
const REFRESH_S = 10;
/** Rows of a table; the API has more. */
const MOST_ROWS = 100;
const MOST_HOSTS = 8;
/** Width of pictures in units of their own. */
const WIDTH = 1000;

/**
 * The status page.
 *
 * @param refreshes whether it is asked for again by itself; who walks it by keyboard or listens to it wants that it stands still
 */
export function statusPage(status: Status, refreshes = true): string {
  const { view, weaknesses, running } = status;
  const stored = status.stored?.filter((dump) => !running.some((one) => isOf(one, dump))) ?? null;
  const isReady = !weaknesses.some(({ blocks }) => blocks);
  const title = `netdump: ${isReady ? "ready" : "NOT READY"}, ${formatCount(running.length, "dump")} running`;
  return page(
    title,
    fragment`<header><h1>netdump</h1>
<span class="badge ${isReady ? "good" : "bad"}">${
      isReady ? "ready: a dump would be taken now" : "not ready: no dump would be taken now"
    }</span>
<span class="dim">${view.addresses.map((address) => `${address}:${view.port}`).join(", ")}; up ${
      formatDuration(status.nowMs - status.startedMs)
    }; ${time(new Date(status.nowMs).toISOString())} UTC</span>
${
      refreshes
        ? fragment`<a href="${STILL_PATH}">stop refreshing</a>`
        : fragment`<a href="/">refresh</a>`
    }</header>
<main>${weaknesses.map(note)}
<h2>Running</h2>${runningTable(running, status.nowMs)}
<h2>Panics</h2>${panicTable(stored)}
<h2>Dumps</h2>${storedTable(stored)}
<h2>Disk</h2>${diskPicture(status)}
<h2>Server</h2>${serverFacts(status)}
${endedBadly(status.ended)}
${refusalTable(status.refusals)}</main>`,
    refreshes ? fragment`<meta http-equiv="refresh" content="${REFRESH_S}">` : null,
  );
}

/** The page of a dump, or of why there is none. */
export function dumpPage(dump: StoredDump, details: DumpDetails | string): string {
  const body = typeof details === "string"
    ? fragment`<p class="note">Cannot read it: ${details}</p>`
    : fragment`
    <h2>What it says</h2>${scrollable("What it says", details.text)}
    ${details.memory === null ? null : fragment`<h2>Physical memory</h2>${memoryPicture(details.memory)}`}
    <h2>Last messages</h2>${
      details.messages === null || details.messages.trim() === ""
        ? fragment`<p class="dim">The message buffer ${
          details.messages === null ? "was not found" : "holds no text"
        }.</p>`
        : scrollable("Last messages", details.messages)
    }
  `;
  return page(
    `netdump: ${dump.file}`,
    fragment`
      <header><h1>${dump.file}</h1>${state(dump.state)}<a href="/">all dumps</a></header>
      <main>${body}</main>
    `,
    null,
  );
}

/** Lines that may be wider than the page: the keyboard scrolls them. */
function scrollable(label: string, text: string): Html {
  return fragment`<pre tabindex="0" role="region" aria-label="${label}">${lines(text)}</pre>`;
}

function page(title: string, body: Html, head: Part): string {
  return fragment`
    <!DOCTYPE html>
    <html lang="en">
      <head><meta charset="utf-8"><title>${title}</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">${head}
    <style>${new Html(STYLE_SHEET)}</style></head>
      <body>${body}</body>
    </html>
  `.markup.trimStart();
}

/** Whether a file is that of a dump that runs. */
function isOf({ dump: { directory, core } }: RunningDump, { file }: StoredDump): boolean {
  const path = directory === "." ? core : `${directory}/${core}`;
  return file === path || file === `${path}.incomplete`;
}

function note({ problem, advice, blocks }: Weakness): Html {
  return fragment`<p class="note${blocks ? " blocks" : ""}"><strong>${
    blocks ? "No dump would be taken: " : ""
  }${problem}</strong>; ${advice}</p>`;
}

/** A table whose cells say what they are where it is too narrow for columns. */
function table(
  columns: readonly (readonly [label: string, kind?: "name" | "number" | "time" | "word"])[],
  rows: readonly (readonly Part[])[],
  empty: string,
): Html {
  if (rows.length === 0) return fragment`<p class="dim">${empty}</p>`;
  const shown = rows.slice(0, MOST_ROWS);
  return fragment`
    <table>
      <thead>
        <tr>${
    columns.map(([label, kind]) => fragment`<th scope="col" class="${kind ?? ""}">${label}</th>`)
  }</tr>
      </thead>
      <tbody>${
    shown.map((row) =>
      fragment`<tr>${
        row.map((cell, i) =>
          fragment`<td class="${columns[i]![1] ?? ""}" data-label="${columns[i]![0]}">${cell}</td>`
        )
      }</tr>`
    )
  }</tbody>
    </table>${
    rows.length > shown.length
      ? fragment`<p class="dim">and ${rows.length - shown.length} more: /api/v1/dumps has them</p>`
      : null
  }
  `;
}

function runningTable(running: readonly RunningDump[], nowMs: number): Html {
  const rows = running.map((one) => {
    const { dump, sinceMs, bytesPerSecond } = one;
    const expected = expectedBytes(one);
    const end = estimatedEnd(one);
    return [
      who(dump),
      fragment`${dump.receivedBytes === 0 ? "just begun" : formatSize(dump.receivedBytes)}${
        expected === null
          ? null
          : fragment`<progress max="${expected}" value="${dump.receivedBytes}" aria-label="received"></progress>`
      }`,
      bytesPerSecond === null ? null : `${formatSize(Math.round(bytesPerSecond))}/s`,
      formatDuration(Math.max(0, nowMs - sinceMs)),
      dump.resends,
      dump.savedPackets,
      end === null ? null : time(end),
      dump.kernelDumpHeader?.panicString ?? "",
    ];
  });
  return table(
    [
      ["Client", "name"],
      ["Received", "number"],
      ["Rate", "number"],
      ["For", "number"],
      ["Resends", "number"],
      ["Saved", "number"],
      ["Ends (UTC)", "time"],
      ["Panic"],
    ],
    rows,
    "No dump is running.",
  );
}

function panicTable(stored: readonly StoredDump[] | null): Html | null {
  if (stored === null) return null;
  const rows = groupPanics(stored).map(({ panic, count, hosts, firstSeen, lastSeen }) => [
    panic,
    count,
    hosts.slice(0, MOST_HOSTS).join(", ") +
    (hosts.length > MOST_HOSTS ? ` and ${hosts.length - MOST_HOSTS} more` : ""),
    time(firstSeen),
    time(lastSeen),
  ]);
  return table(
    [["Panic"], ["Dumps", "number"], ["Hosts"], ["First (UTC)", "time"], ["Last (UTC)", "time"]],
    rows,
    "No dump says why it was made.",
  );
}

function storedTable(stored: readonly StoredDump[] | null): Html {
  if (stored === null) return fragment`<p class="note">The dump directory could not be read, or not yet.</p>`;
  const rows = stored.map((dump) => [
    fragment`<a href="/dumps/${encodeURIComponent(dump.file.toWellFormed())}">${dump.file}</a>`,
    dump.host ?? "",
    time(dump.time),
    formatSize(dump.sizeBytes),
    state(dump.state),
    dump.panic ?? "",
  ]);
  return table(
    [
      ["File", "name"],
      ["Host", "name"],
      ["Crashed (UTC)", "time"],
      ["Size", "number"],
      ["State", "word"],
      ["Panic"],
    ],
    rows,
    "There is no dump yet.",
  );
}

function endedBadly(ended: readonly EndedDump[]): Html | null {
  const rows = ended.filter(({ complete }) => !complete).map(({ dump, reason, endedMs }) => [
    time(new Date(endedMs).toISOString()),
    who(dump),
    reason ?? "",
    formatSize(dump.receivedBytes),
  ]);
  if (rows.length === 0) return null;
  return fragment`<h2>Incomplete since the start</h2>${
    table([["Ended (UTC)", "time"], ["Client", "name"], ["Why"], ["Received", "number"]], rows, "")
  }`;
}

function refusalTable(refusals: readonly TimedRefusal[]): Html | null {
  if (refusals.length === 0) return null;
  const rows = refusals.map(({ client, reason, count, atMs }) => [
    time(new Date(atMs).toISOString()),
    client,
    count,
    reason,
  ]);
  return fragment`<h2>Refused</h2>${
    table([["Time (UTC)", "time"], ["Client", "name"], ["HERALDs", "number"], ["Why"]], rows, "")
  }`;
}

function serverFacts({ version, view }: Status): Html {
  const { sessions, mostSessions, receivers, directory, descriptors } = view;
  const facts: readonly (readonly [string, string])[] = [
    ["Directory", directory],
    [
      "Sessions",
      `${sessions.data} with data, ${sessions.heralded} without, ${sessions.finished} finished; at most ${mostSessions}`,
    ],
    ["Receivers", `${receivers}`],
    ["Open files", descriptors === null ? "not known" : `at most ${descriptors}`],
    ["Version", version],
  ];
  return fragment`<dl>${
    facts.map(([name, value]) =>
      fragment`
        <dt>${name}</dt>
        <dd>${value}</dd>
      `
    )
  }</dl>`;
}

/** What is used, what is kept free, what dumps may take. */
function diskPicture({ view: { room } }: Status): Html {
  if (room === null) return fragment`<p class="dim">The system does not tell how much room there is.</p>`;
  const { freeBytes, keptBytes, totalBytes } = room;
  const used = totalBytes - freeBytes;
  const left = Math.max(0, freeBytes - keptBytes);
  const scale = totalBytes > 0 ? WIDTH / totalBytes : 0;
  const kept = Math.min(keptBytes, freeBytes);
  const words = `${formatSize(left)} for dumps, ${formatSize(keptBytes)} kept free, ${
    formatSize(used)
  } used of ${formatSize(totalBytes)}`;
  return fragment`
    <svg viewBox="0 0 ${WIDTH} 10" preserveAspectRatio="none" role="img" aria-label="${words}">
      <rect class="used" width="${(used * scale).toFixed(1)}" height="10" />
      <rect class="kept" x="${(WIDTH - kept * scale).toFixed(1)}" width="${
    (kept * scale).toFixed(
      1,
    )
  }" height="10" />
    </svg>
    <p class="keys"><span class="key is-used">${formatSize(used)} used</span>
    <span class="key">${formatSize(left)} for dumps</span>
    <span class="key is-kept">${formatSize(keptBytes)} kept free</span></p>
  `;
}

/** Physical memory: the more of a piece the dump has, the stronger its colour. */
function memoryPicture(memory: readonly MemoryPiece[]): Html {
  const all = memory.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const dumped = memory.reduce((sum, { sizeBytes, share }) => sum + sizeBytes * share, 0);
  const words = `The dump has ${formatSize(Math.round(dumped))} of ${formatSize(Math.round(all))} of memory`;
  let before = 0;
  const pieces = memory.map(({ sizeBytes, share }) => {
    const [x, width] = [before, sizeBytes].map((bytes) => (bytes / Math.max(1, all) * WIDTH).toFixed(2));
    before += sizeBytes;
    if (share === 0) return null;
    return fragment`<rect class="used" x="${x!}" width="${width!}" height="10" fill-opacity="${
      (0.15 + 0.85 * share).toFixed(2)
    }" />`;
  });
  return fragment`
    <svg viewBox="0 0 ${WIDTH} 10" preserveAspectRatio="none" shape-rendering="crispEdges" role="img"
      aria-label="${words}">${pieces}</svg>
    <p class="dim">${words}; from the lowest address to the highest, the stronger the colour, the more.</p>
  `;
}

function who({ host, client }: DumpRecord): string {
  return host === client ? client : `${host} [${client}]`;
}

function state(word: string): Html {
  const kind = word === "whole" ? "good" : word === "unknown" || word === "orphaned" ? "warn" : "bad";
  return fragment`<span class="badge ${kind}">${word}</span>`;
}

function time(iso: string | null): string {
  return iso === null ? "" : iso.replace("T", " ").replace(/(?::\d\d(?:\.\d{3})?)?Z$/, "");
}
