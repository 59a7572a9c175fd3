import { shells } from "./options.ts";

/** A shell that has completions. */
export type Shell = typeof shells[number];

/** Tells whether completions exist for a shell. */
export function isShell(word: string): word is Shell {
  return (shells as readonly string[]).includes(word);
}

/** The completion script of a shell. */
export function shellCompletions(_shell: Shell): string {
  return "";
}
