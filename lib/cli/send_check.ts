/**
 * `netdump send --check`: from options to a check, from its result to text, JSON and an exit status.
 *
 * @module
 */
import { HERALD_PORT, MAX_HERALD_PATH_SIZE } from "../protocol/message.ts";
import { type CheckResult, checkServer } from "../send/check.ts";
import { addressTowards, ANY_ADDRESS, openSocket, resolveServer } from "../send/endpoints.ts";
import { openClientWay } from "../udp/open.ts";
import { SendError } from "../send/failure.ts";
import { DenoClientSocket } from "../udp/client_socket.ts";
import { escapeLine, quote } from "../text/escape.ts";
import { toJsonLine } from "../text/json.ts";
import { ExitStatus, OperationError } from "./exit_status.ts";
import { onInterrupt } from "./interrupt.ts";
import type { sendCommand } from "./options.ts";
import { writeStdout } from "./output.ts";
import { type Invocation, UsageError } from "./parse.ts";
import { keepOnly } from "./permissions.ts";
import { sayWaiting } from "./waiting.ts";

/** Runs the check: 0 only if a kernel's dump would be taken. */
export async function runCheck({ options }: Invocation<typeof sendCommand>): Promise<ExitStatus> {
  const { server, client, path, retries, timeout } = options;
  if (new TextEncoder().encode(path ?? "").byteLength >= MAX_HERALD_PATH_SIZE) {
    throw new UsageError(`Option --path: expected at most ${MAX_HERALD_PATH_SIZE - 1} bytes`);
  }
  await keepOnly("read", "net", "sys", "ffi");
  const interrupt = new AbortController();
  using _interrupt = onInterrupt(() => interrupt.abort());
  using _waiting = sayWaiting(options.quiet ? null : server.host);
  try {
    const address = await resolveServer(server.host);
    const { route } = await openClientWay(!options["no-native"]);
    const from = client ?? addressTowards(address, route(ANY_ADDRESS, address)?.local);
    const conn = openSocket(from, options["client-port"]);
    const job = {
      path,
      clientPort: options["client-port"],
      retries,
      timeoutMs: timeout,
      server: { hostname: address, port: server.port ?? HERALD_PORT },
    };
    const result = await checkServer(job, (onError) => new DenoClientSocket(conn, onError), interrupt.signal);
    if (options.json) await writeStdout(toJsonLine(result) + "\n");
    if (result.error !== null) console.error(`netdump: ${escapeLine(result.error)}`);
    else if (!options.quiet) { for (const line of summaryLines(result)) console.error(line); }
    return result.ready ? ExitStatus.OK : ExitStatus.FAILED;
  } catch (error) {
    if (error instanceof SendError) throw new OperationError(error.message);
    throw error;
  }
}

/** The result for people; what was asked for is escaped. */
function summaryLines({ server, answeredBy, roundTripMs, path, strangeAnswers }: CheckResult): string[] {
  const lines = [
    `${server} would take a dump: ${answeredBy} answered after ${(roundTripMs ?? 0).toFixed(1)} ms.`,
  ];
  if (path !== null) {
    lines.push(
      `Whether the path ${
        quote(path)
      } was taken cannot be known: a server that refuses it answers all the same.`,
    );
  }
  for (const { from, why } of strangeAnswers) lines.push(`${from} answered, too: ${STRANGE[why]}.`);
  return lines;
}

const STRANGE = {
  "other-address": "a kernel does not hear it",
  "wrong-seqno": "with a number that was not sent",
  "no-ack": "with something that is no acknowledgement",
} as const;
