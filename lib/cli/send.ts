import { ExitStatus, OperationError } from "./exit_status.ts";
import type { sendCommand } from "./options.ts";
import type { Invocation } from "./parse.ts";

/** Runs `netdump send`. */
export function runSend(_invocation: Invocation<typeof sendCommand>): Promise<ExitStatus> {
  return Promise.reject(new OperationError("send"));
}
