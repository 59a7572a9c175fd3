import { ExitStatus, OperationError } from "./exit_status.ts";
import type { serveCommand } from "./options.ts";
import type { Invocation } from "./parse.ts";

/** Runs `netdump serve`. */
export function runServe(_invocation: Invocation<typeof serveCommand>): Promise<ExitStatus> {
  return Promise.reject(new OperationError("serve"));
}
