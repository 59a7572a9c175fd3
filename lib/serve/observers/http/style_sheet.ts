/**
 * How the status page looks: dark and light as the reader has it, readable on a phone, no font or image from anywhere.
 *
 * @module
 */

/** The style sheet, inline in each page. */
export const STYLE_SHEET = `
:root { color-scheme: light dark; --bg: #fbfbfa; --fg: #1c1e21; --dim: #5b6168; --line: #d9dbde; --card: #fff;
  --good: #14683a; --bad: #b3261e; --warn: #7a5200; --accent: #0b57a4; --kept: #b3760f; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #16181b; --fg: #e7e9ec; --dim: #a3aab2; --line: #363b41; --card: #1e2125;
    --good: #6fce97; --bad: #ff9c94; --warn: #f0c060; --accent: #8ab8f0; --kept: #a8741a; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 75rem; background: var(--bg); color: var(--fg);
  font: 1rem/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
a { color: var(--accent); }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
.dim { color: var(--dim); }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.badge { font-weight: 600; }
.note { border-left: .25rem solid var(--warn); background: var(--card); padding: .5rem .75rem; margin: .5rem 0; }
.note.blocks { border-color: var(--bad); }
table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line); }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { color: var(--dim); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.time, td.word { white-space: nowrap; font-variant-numeric: tabular-nums; }
td.name { min-width: 10.5rem; }
progress { display: block; width: 100%; min-width: 5rem; accent-color: var(--accent); }
pre { background: var(--card); border: 1px solid var(--line); padding: .75rem; overflow-x: auto;
  font: .85rem/1.4 ui-monospace, monospace; }
pre:focus-visible { outline: 3px solid var(--accent); }
svg { display: block; width: 100%; height: 1.5rem; border: 1px solid var(--line); background: var(--card); }
.used { fill: var(--accent); } .kept { fill: var(--kept); }
.key::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .4em; border: 1px solid var(--line); }
.key.is-used::before { background: var(--accent); } .key.is-kept::before { background: var(--kept); }
.keys { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .4rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 60rem) {
  table, tbody, tr, td { display: block; width: 100%; }
  thead { position: absolute; left: -100rem; }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td, td.number, td.time { border: 0; padding: .1rem .75rem; text-align: left; white-space: normal; }
  progress { max-width: 16rem; }
  td::before { content: attr(data-label) ": "; color: var(--dim); }
  td:empty { display: none; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .75rem; }
}
`;
