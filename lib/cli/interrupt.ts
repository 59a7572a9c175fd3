/**
 * Being asked to stop: Ctrl-C, or a service manager's word. A closed terminal is none: `nohup` is there for those who go on.
 *
 * @module
 */
import { SignalStatus } from "./exit_status.ts";

const SIGNALS: readonly ("SIGINT" | "SIGTERM")[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];

/**
 * Calls `stop` when the program is asked to stop, until it is disposed of.
 *
 * @param stop gets the exit status of a program that the signal ended
 */
export function onInterrupt(stop: (status: number) => void): Disposable {
  const listeners = SIGNALS.map((signal) => [signal, () => stop(SignalStatus[signal])] as const);
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
