/**
 * Completions for shells, from the option table. `completions/` has what this makes, and a test holds them together.
 *
 * @module
 */
import { bashCompletions } from "./bash.ts";
import { fishCompletions } from "./fish.ts";
import { zshCompletions } from "./zsh.ts";
import { commands, shells } from "../options.ts";

/** A shell that has completions. */
export type Shell = typeof shells[number];

/** Tells whether completions exist for a shell. */
export function isShell(word: string): word is Shell {
  return (shells as readonly string[]).includes(word);
}

/** The completion script of a shell. */
export function shellCompletions(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bashCompletions(commands);
    case "zsh":
      return zshCompletions(commands);
    case "fish":
      return fishCompletions(commands);
  }
}
