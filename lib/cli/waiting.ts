/**
 * Says whom a command waits for, where that takes longer than an answer does.
 *
 * @module
 */
import { escapeLine } from "../text/escape.ts";

/** Nobody is told of a wait that is over by then. */
const WAITING_MS = 1500;

/**
 * Says once that a host has not answered, if it has not after a moment and before this is disposed of.
 *
 * @param host `null` to say nothing
 */
export function sayWaiting(
  host: string | null,
  isAnswered: () => boolean = () => false,
  say: (line: string) => void = (line) => console.error(escapeLine(line)),
): Disposable {
  const timer = setTimeout(() => {
    if (host !== null && !isAnswered()) say(`Waiting for an answer from ${host} ...`);
  }, WAITING_MS);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
