import { ExitStatus, OperationError } from "./exit_status.ts";
import type { inspectCommand } from "./options.ts";
import type { Invocation } from "./parse.ts";

/** Runs `netdump inspect`. */
export function runInspect(_invocation: Invocation<typeof inspectCommand>): Promise<ExitStatus> {
  return Promise.reject(new OperationError("inspect"));
}
