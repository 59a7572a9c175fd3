/**
 * The status page: HTML without script.
 *
 * @module
 */
import { formatCount, formatDuration, formatSize } from "../../../text/units.ts";
import type { DumpRecord } from "../../events.ts";
import type { EndedDump, RunningDump, TimedRefusal } from "../board.ts";
import type { Weakness } from "../server_view.ts";
import { groupPanics, type StoredDump } from "../stored_dumps.ts";
import { estimatedEnd, expectedBytes, type Status } from "./api.ts";
import { fragment, type Html } from "./html.ts";
import { page, PICTURE_WIDTH, state, table, time } from "./page.ts";

/** Where the status page is that does not refresh itself. */
export const STILL_PATH = "/still";
/** The page is asked for again after so many seconds. */
const REFRESH_S = 10;
const MOST_HOSTS = 8;

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
  const scale = totalBytes > 0 ? PICTURE_WIDTH / totalBytes : 0;
  const kept = Math.min(keptBytes, freeBytes);
  const words = `${formatSize(left)} for dumps, ${formatSize(keptBytes)} kept free, ${
    formatSize(used)
  } used of ${formatSize(totalBytes)}`;
  return fragment`
    <svg viewBox="0 0 ${PICTURE_WIDTH} 10" preserveAspectRatio="none" role="img" aria-label="${words}">
      <rect class="used" width="${(used * scale).toFixed(1)}" height="10" />
      <rect class="kept" x="${(PICTURE_WIDTH - kept * scale).toFixed(1)}" width="${
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

function who({ host, client }: DumpRecord): string {
  return host === client ? client : `${host} [${client}]`;
}
