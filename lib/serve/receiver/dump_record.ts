/**
 * What is told about a dump: the record for logs and hooks, and the text of its info file.
 *
 * @module
 */
import { KERNEL_DUMP_HEADER_SIZE } from "../../kerneldump/files/header.ts";
import { formatInfo } from "../../kerneldump/files/info.ts";
import { formatDuration, formatSize } from "../../text/units.ts";
import { formatRanges } from "../../text/ranges.ts";
import type { Verdict } from "../session/completeness.ts";
import { HOST_NAME_LABEL } from "../store/dump_directory.ts";
import type { DumpFiles } from "../store/dump_files.ts";
import type { SessionIdentity } from "../session/journal.ts";
import type { DumpRecord } from "../events.ts";
import type { ClientName } from "../orders.ts";
import type { ReceivedHeader } from "../session/header.ts";
import type { Session } from "../session/session.ts";

/** A session with its files. */
export interface DumpInHand {
  readonly identity: SessionIdentity;
  readonly name: ClientName;
  readonly session: Session;
  readonly files: DumpFiles;
  readonly durationMs: number;
}

/** Size the core file shall have: a compressed dump is cut to its length, for its last block is padded. */
export function finalCoreBytes(session: Session, files: DumpFiles): number {
  const { header } = session;
  if (header.kind !== "header" || session.compression === "none") return files.coreSize;
  return Math.min(header.header.dumpLength, files.coreSize);
}

/** Everything that is told about a dump. */
export function describeDump({ identity, name, session, files, durationMs }: DumpInHand): DumpRecord {
  const header = session.header;
  return {
    id: identity.id,
    client: identity.client,
    local: identity.local,
    port: identity.port,
    host: files.place.host,
    hostName: name.hostName,
    index: files.index,
    directory: files.place.directory,
    info: files.names.info,
    core: files.core,
    header: header.kind === "none" ? null : files.names.header,
    key: session.key.covered === 0 ? null : files.names.key,
    kernelDumpHeader: header.kind === "header" ? header.header : null,
    encrypted: session.encrypted,
    receivedBytes: session.core.covered,
    messages: session.messages,
    resends: session.resends,
    savedPackets: session.acknowledgement.saved,
    durationMs,
  };
}

/**
 * The text of a dump's info file.
 *
 * @param ending its last line; `null` while the dump is being received
 */
export function infoText(dump: DumpInHand, verdict: Verdict | null, ending: string | null): string {
  const { identity, name, session, files, durationMs } = dump;
  const extra: [label: string, value: string][] = [];
  if (name.hostName !== null) extra.push([HOST_NAME_LABEL, name.hostName]);
  extra.push(["Client", `${identity.client}, received on ${identity.local}`]);
  extra.push(["Started", new Date(identity.startedMs).toISOString()]);
  if (ending !== null) {
    const { covered } = session.core;
    const seconds = Math.max(durationMs, 1) / 1000;
    extra.push(["Ended", new Date(identity.startedMs + durationMs).toISOString()]);
    extra.push(["Duration", `${formatDuration(durationMs)}, ${formatSize(Math.round(covered / seconds))}/s`]);
    extra.push([
      "Received",
      `${covered} bytes in ${session.messages} messages, ${session.resends} of them repeated`,
    ]);
    if (session.acknowledgement.saved > 0) {
      extra.push(["Saved", `${session.acknowledgement.saved} packets that an early ack would have lost`]);
    }
    const lacking = describeHeader(session.header);
    if (lacking !== undefined) extra.push(["Header", lacking]);
    if (verdict !== null && verdict.missing.length > 0) {
      extra.push(["Missing", formatRanges(verdict.missing)]);
    }
  }
  const header = session.header;
  return formatInfo({
    client: { host: files.place.host, address: identity.client },
    header: header.kind === "header" ? header.header : null,
    extra,
    ending,
  });
}

/** What there is to say of a header; nothing if it is one that is known. */
function describeHeader(header: ReceivedHeader): string | undefined {
  switch (header.kind) {
    case "none":
      return "none received";
    case "part":
      return `${header.bytes} of ${KERNEL_DUMP_HEADER_SIZE} bytes received`;
    case "damaged":
      return `unreadable: ${header.why}`;
    case "newer":
      return `version ${header.header.version}, which is newer than what is known: kept as it came`;
    case "header":
      return undefined;
  }
}
