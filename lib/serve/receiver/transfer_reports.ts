/**
 * What a transfer tells the supervisor of its dump.
 *
 * @module
 */
import type { Verdict } from "../session/completeness.ts";
import type { SessionIdentity } from "../session/journal.ts";
import { Notices } from "./notices.ts";
import type { Outcome } from "../events.ts";
import type { Report } from "../orders.ts";
import { describeError } from "../../os/system_error.ts";
import type { Peer } from "../../udp/datagram_socket.ts";
import type { ReceivedDump, RefusedError } from "./received_dump.ts";
import type { ReceivedHeader } from "../session/header.ts";
import type { Session } from "../session/session.ts";

/** Kinds of what others provoke, as they are summed up. */
const FOREIGN = "datagrams of others were ignored";
const MALFORMED = "datagrams that are no messages were ignored";
const ACKS_FAILED = "acks could not be sent";
const RECEIVES_FAILED = "receives failed";
const IMPOSSIBLE = "messages that the client cannot have sent were ignored";
const DIFFERENT = "messages that differ from what they repeat were refused";

/** Reports of one transfer. */
export class TransferReports {
  readonly notices: Notices;
  readonly #id: string;
  readonly #report: (report: Report) => void;
  /** Bytes at the last progress told. */
  #progressBytes = 0;

  constructor({ id }: SessionIdentity, report: (report: Report) => void) {
    this.#id = id;
    this.#report = report;
    this.notices = new Notices((level, text, provoked) =>
      report({ report: "notice", level, id, provoked, text })
    );
  }

  /** A datagram of somebody else came. */
  foreign({ hostname, port }: Peer): void {
    const text = `a datagram from ${hostname}:${port}, who is not the client, was ignored`;
    this.notices.provoked("warning", FOREIGN, text);
  }

  /** A datagram came that is no message. */
  malformed(sizeBytes: number, why: string): void {
    this.notices.provoked("debug", MALFORMED, `a datagram of ${sizeBytes} bytes was ignored: ${why}`);
  }

  /** An operation of the socket failed. */
  socketFailed(what: "receive" | "send", error: unknown): void {
    const [kind, text] = what === "send"
      ? [ACKS_FAILED, "an ack could not be sent"] as const
      : [RECEIVES_FAILED, "a receive failed"] as const;
    this.notices.provoked("debug", kind, `${text}: ${describeError(error)}`);
  }

  /** A message came that the client cannot have sent now. */
  impossible(why: string): void {
    this.notices.provoked("warning", IMPOSSIBLE, `a message was ignored: ${why}`);
  }

  /** A message came that differs from what it repeats. */
  different({ message }: RefusedError): void {
    this.notices.provoked("warning", DIFFERENT, `a message was refused: ${message}`);
  }

  /** The dump could not be labelled. */
  notLabelled(reason: string): void {
    this.#report({ report: "not-labelled", id: this.#id, reason });
  }

  /** The dump could not be begun. */
  refused(reason: string): void {
    this.#report({ report: "refused", id: this.#id, reason });
  }

  /** The dump has files now. */
  started(dump: ReceivedDump, resumed: boolean): void {
    this.#report({ report: "started", dump: dump.describe(), resumed });
  }

  /** The kernel dump header has come, and may be wrong. */
  header(dump: ReceivedDump, { header }: Session): void {
    if (header.kind === "part" || header.kind === "none") return;
    const problem = headerProblem(header);
    this.#report({ report: "header", dump: dump.describe(), problem });
  }

  /** The first piece of the key has come. */
  key(dump: ReceivedDump): void {
    this.#report({ report: "key", dump: dump.describe() });
  }

  /** How far the dump is, if it got further. */
  progress(dump: ReceivedDump, { core }: Session): void {
    if (core.covered === this.#progressBytes) return;
    this.#progressBytes = core.covered;
    this.#report({ report: "progress", dump: dump.describe() });
  }

  /** FINISHED came without data. */
  empty(): void {
    this.#report({ report: "empty", id: this.#id });
  }

  /** The dump has ended, one way or another. */
  finished(
    dump: ReceivedDump,
    outcome: Outcome,
    { missing }: Verdict,
    reason: string | null,
    resumable: boolean,
  ): void {
    this.#report({
      report: "finished",
      dump: dump.describe(),
      outcome,
      complete: outcome === "success",
      reason,
      missing,
      resumable,
    });
  }
}

function headerProblem(header: ReceivedHeader): string | null {
  switch (header.kind) {
    case "damaged":
      return header.why;
    case "newer":
      return `its version ${header.header.version} is newer than what is known`;
    case "header":
      return header.header.parityOk ? null : "its parity is wrong";
    default:
      return null;
  }
}
