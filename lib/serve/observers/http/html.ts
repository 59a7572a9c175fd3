/**
 * HTML by templates: what is put in is escaped, whatever it is (P8).
 *
 * @module
 */
import { escapeLine } from "../../../text/escape.ts";

/** Markup that is safe as it stands. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

/** What a template takes: text, markup, several of them, or nothing. */
export type Part = Html | string | number | null | readonly Part[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Markup with values in it; text is escaped, controls too. */
export function fragment(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.reduce((markup, text, i) => markup + render(parts[i - 1] ?? null) + text));
}

/** Text of several lines that was escaped for a terminal already: its line feeds stay. */
export function lines(text: string): Html {
  return new Html(entities(text));
}

function render(part: Part): string {
  if (part === null) return "";
  if (part instanceof Html) return part.markup;
  if (typeof part === "object") return part.map(render).join("");
  return entities(escapeLine(String(part)));
}

function entities(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
