/**
 * What the kernel's debugger was asked and what it answered, as textdumps hold it (reference kernel-dump-formats.md,
 * section 6): the stack of the thread that crashed is what developers ask for.
 *
 * @module
 */

/** Before a command: of a script, `db:0:kdb.enter.default>  bt`, or typed, `db> bt`. */
const PROMPT = /^db(?::\d{1,4}:[^>\s]{1,100})?>/;
/** Commands that print a stack, of the current thread if none is named. */
const STACK_COMMAND = /^db(?::\d{1,4}:[^>\s]{1,100})?>\s{0,8}(?:bt|trace|where|t)(?:\/u)?\s{0,8}$/;
/** A frame: `vpanic() at vpanic+0x182/frame 0xfffffe008373b940`; powerpc's `0xc0080000dd0b3b20: at vpanic+0x1e0`. */
const FRAME =
  /^(?:[A-Za-z_][\w.$]{0,200}\([^)]{0,400}\)|0x[0-9a-f]{1,16}:) at [\w.$]{1,200}(?:\+0x[0-9a-f]{1,16})?/;

/** The stack that the debugger showed. */
export interface DebuggerStack {
  /** The command and its answer, up to the next command; the command first. */
  readonly lines: readonly string[];
  /** The lines that are frames, the innermost first. */
  readonly frames: readonly string[];
}

/** Finds the first stack that was asked for; `undefined` if none was. */
export function findDebuggerStack(text: string): DebuggerStack | undefined {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const start = lines.findIndex((line) => STACK_COMMAND.test(line));
  if (start < 0) return undefined;
  const next = lines.findIndex((line, i) => i > start && PROMPT.test(line));
  const answer = lines.slice(start, next < 0 ? lines.length : next);
  while (answer.at(-1) === "") answer.pop();
  return { lines: answer, frames: answer.filter((line) => FRAME.test(line)) };
}
