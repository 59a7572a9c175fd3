/**
 * `netdump send`: from options to a job, from its result to text, JSON and an exit status.
 *
 * @module
 */
import { STORE_ADVICE, StoreError } from "../archive/store_error.ts";
import { SeekableZstdSource } from "../bytes/zstd/seekable_source.ts";
import { MAX_HERALD_PATH_SIZE } from "../protocol/message.ts";
import { SendError } from "../send/failure.ts";
import type { DumpElsewhere } from "../send/load_dump.ts";
import { sendDump, type SendJob, type SendResult, type Watch } from "../send/send_dump.ts";
import { toJsonLine } from "../text/json.ts";
import { escapeLine, quote } from "../text/escape.ts";
import { formatCount, formatDuration, formatSize } from "../text/units.ts";
import { isInBucket, openObject } from "./bucket.ts";
import { ExitStatus, OperationError } from "./exit_status.ts";
import { keepOnly } from "./permissions.ts";
import { runCheck } from "./send_check.ts";
import { onInterrupt } from "./interrupt.ts";
import type { sendCommand } from "./options.ts";
import { writeStdout } from "./output.ts";
import { type Invocation, UsageError } from "./parse.ts";
import { ProgressBar } from "./progress.ts";
import type { StoreOptions } from "./ship_options.ts";
import { sayWaiting } from "./waiting.ts";

/** Runs `netdump send`: 0 only if the server acknowledged FINISHED. */
export async function runSend(invocation: Invocation<typeof sendCommand>): Promise<ExitStatus> {
  const { options, operands } = invocation;
  if (options.check && operands.length > 0) {
    throw new UsageError(`Option --check sends no dump: unexpected argument ${quote(operands[0]!)}`);
  }
  if (options.check) return await runCheck(invocation);
  if (operands.length === 0) throw new UsageError("Missing VMCORE");
  const path = operands[0] ?? "";
  const { "s3-endpoint": endpoint, "s3-credentials": credentials } = options;
  if ((endpoint ?? credentials) !== undefined && !isInBucket(path)) {
    throw new UsageError("Options --s3-endpoint and --s3-credentials need s3://... as VMCORE");
  }
  const job = toJob(invocation, isInBucket(path) ? await openElsewhere(path, options) : undefined);
  await keepOnly("read", "net", "sys", "ffi");
  const interrupt = new AbortController();
  using _interrupt = onInterrupt(() => interrupt.abort());
  let bar: ProgressBar | undefined;
  let waiting: Disposable | undefined;
  try {
    const result = await sendDump(job, interrupt.signal, (watch) => {
      for (const warning of watch.warnings) console.error(`netdump: warning: ${escapeLine(warning)}`);
      if (options.quiet) return;
      bar = showProgress(job.dump.path, watch);
      waiting = sayWaiting(job.server.host, watch.isAnswered, bar.say);
    });
    waiting?.[Symbol.dispose]();
    bar?.stop();
    if (options.json) await writeStdout(toJsonLine(result) + "\n");
    if (result.error !== null) console.error(`netdump: ${escapeLine(result.error)}`);
    if (!options.quiet) { for (const line of summaryLines(result)) console.error(escapeLine(line)); }
    return result.finished ? ExitStatus.OK : ExitStatus.FAILED;
  } catch (error) {
    if (error instanceof SendError) throw new OperationError(error.message);
    throw error;
  } finally {
    waiting?.[Symbol.dispose]();
    bar?.stop();
  }
}

/** A dump that was shipped, as it was received. */
async function openElsewhere(path: string, options: StoreOptions): Promise<DumpElsewhere> {
  try {
    const { file, beside } = await openObject(path, options);
    const unpacked = await SeekableZstdSource.open(file);
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (unpacked === undefined) return { name, source: file, beside };
    return { name: name.replace(/\.zst$/, ""), source: unpacked, beside };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new OperationError(
      `Cannot read ${quote(path)}: ${escapeLine(error.message)}; ${STORE_ADVICE[error.failure]}`,
    );
  }
}

function toJob(
  { options, operands }: Invocation<typeof sendCommand>,
  elsewhere: DumpElsewhere | undefined,
): SendJob {
  if (options.kernel !== undefined && options.window !== undefined) {
    throw new UsageError("Options --kernel and --window exclude each other: a kernel has no window");
  }
  if (new TextEncoder().encode(options.path ?? "").byteLength >= MAX_HERALD_PATH_SIZE) {
    throw new UsageError(`Option --path: expected at most ${MAX_HERALD_PATH_SIZE - 1} bytes`);
  }
  return {
    dump: {
      path: operands[0] ?? "",
      elsewhere,
      headerPath: options.header,
      keyPath: options.key,
      force: options.force,
      overrides: {
        hostname: options.hostname,
        panicString: options.panic,
        architecture: options.arch,
        versionString: options["dump-version-string"],
      },
    },
    server: options.server,
    client: { address: options.client, port: options["client-port"] },
    path: options.path,
    mtu: options.mtu,
    window: options.window,
    retries: options.retries,
    timeoutMs: options.timeout,
    kernel: options.kernel,
    bytesPerSecond: options.rate,
    native: !options["no-native"],
  };
}

function showProgress(path: string, { sender, dataSize }: Watch): ProgressBar {
  const startedAt = performance.now();
  return new ProgressBar(path.replace(/.*[/\\]/s, ""), () => ({
    doneBytes: sender.acknowledgedBytes,
    totalBytes: dataSize,
    elapsedMs: performance.now() - startedAt,
    note: sender.counters.resends === 0 ? "" : formatCount(sender.counters.resends, "resend"),
  }));
}

/** The end, for people: what was sent where, how fast, how many resends. */
export function summaryLines(result: SendResult): string[] {
  const { bytesAcknowledged, durationMs, resends, messages, answeredBy, file } = result;
  const figures = `${formatSize(bytesAcknowledged)} in ${formatDuration(durationMs)}, ` +
    `${formatSize(result.bytesPerSecond)}/s, ${formatCount(messages, "message")}, ${
      formatCount(resends, "resend")
    }`;
  const lines = result.finished
    ? [`Sent ${file} to ${answeredBy}: ${figures}`]
    : [`Not finished: ${figures}`];
  if (result.neverAcknowledged > 0) {
    lines.push(
      `By the kernel's 32-bit masks ${
        formatCount(result.neverAcknowledged, "message")
      } passed for acknowledged without an ack ` +
        "of its own: the server may have holes there",
    );
  }
  return lines;
}
