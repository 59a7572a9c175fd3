/**
 * What the pages share: their frame, tables, and how states and times are written.
 *
 * @module
 */
import { fragment, Html, type Part } from "./html.ts";
import { STYLE_SHEET } from "./style_sheet.ts";

/** Width of pictures in units of their own. */
export const PICTURE_WIDTH = 1000;
/** Rows of a table; the API has more. */
const MOST_ROWS = 100;

/** A page with its head. */
export function page(title: string, body: Html, head: Part): string {
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

/** A table whose cells say what they are where it is too narrow for columns. */
export function table(
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

/** The state of a dump, coloured. */
export function state(word: string): Html {
  const kind = word === "whole" ? "good" : word === "unknown" || word === "orphaned" ? "warn" : "bad";
  return fragment`<span class="badge ${kind}">${word}</span>`;
}

/** A time as it is read: to the minute, without the zone. */
export function time(iso: string | null): string {
  return iso === null ? "" : iso.replace("T", " ").replace(/(?::\d\d(?:\.\d{3})?)?Z$/, "");
}
