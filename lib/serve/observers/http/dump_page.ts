/**
 * The page of a dump: HTML without script.
 *
 * @module
 */
import { formatSize } from "../../../text/units.ts";
import type { DumpDetails, MemoryPiece, StoredDump } from "../stored_dumps.ts";
import { fragment, type Html, lines } from "./html.ts";
import { page, PICTURE_WIDTH, state } from "./page.ts";

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

/** Physical memory: the more of a piece the dump has, the stronger its colour. */
function memoryPicture(memory: readonly MemoryPiece[]): Html {
  const all = memory.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const dumped = memory.reduce((sum, { sizeBytes, share }) => sum + sizeBytes * share, 0);
  const words = `The dump has ${formatSize(Math.round(dumped))} of ${formatSize(Math.round(all))} of memory`;
  let before = 0;
  const pieces = memory.map(({ sizeBytes, share }) => {
    const [x, width] = [before, sizeBytes].map((bytes) =>
      (bytes / Math.max(1, all) * PICTURE_WIDTH).toFixed(2)
    );
    before += sizeBytes;
    if (share === 0) return null;
    return fragment`<rect class="used" x="${x!}" width="${width!}" height="10" fill-opacity="${
      (0.15 + 0.85 * share).toFixed(2)
    }" />`;
  });
  return fragment`
    <svg viewBox="0 0 ${PICTURE_WIDTH} 10" preserveAspectRatio="none" shape-rendering="crispEdges" role="img"
      aria-label="${words}">${pieces}</svg>
    <p class="dim">${words}; from the lowest address to the highest, the stronger the colour, the more.</p>
  `;
}
