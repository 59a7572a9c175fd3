/**
 * How a dump ends: made final and told, or labelled and told (P1, P10); and what is done behind its last ack.
 *
 * @module
 */
import { describeError } from "../../os/system_error.ts";
import type { Outcome } from "../events.ts";
import type { Verdict } from "../session/completeness.ts";
import type { Session } from "../session/session.ts";
import type { DumpFiles } from "../store/dump_files.ts";
import type { ReceivedDump } from "./received_dump.ts";
import type { TransferReports } from "./transfer_reports.ts";

/** Ends a session's dump. */
export class DumpEnding {
  readonly #reports: TransferReports;
  readonly #completed: (files: DumpFiles) => Promise<void>;

  /** @param completed is called with the files of a complete dump, when it has been told */
  constructor(reports: TransferReports, completed: (files: DumpFiles) => Promise<void>) {
    this.#reports = reports;
    this.#completed = completed;
  }

  /**
   * Tells a dump that is final and acked, then does what no ack depends on, and no dump: one after the other, each whatever
   * became of the others.
   */
  async afterFinal(dump: ReceivedDump, verdict: Verdict): Promise<void> {
    const { files } = dump;
    this.#reports.finished(dump, verdict.complete ? "success" : "error", verdict, verdict.reason, false);
    await this.tryOnDisk("close the dump's files", () => files.closeFinal());
    await this.tryOnDisk("note the next number of its dumps", () => files.raiseBounds());
    if (verdict.complete) await this.tryOnDisk("remove old dumps", () => this.#completed(files));
  }

  /**
   * Labels a dump as incomplete, and tells it.
   *
   * @returns whether it could be labelled
   */
  async label(
    dump: ReceivedDump,
    session: Session,
    outcome: Outcome,
    text: string,
    resumable: boolean,
  ): Promise<boolean> {
    const verdict = session.verdict();
    const error = await dump.abandon(verdict, text);
    if (error !== undefined) this.#reports.notLabelled(describeError(error));
    this.#reports.finished(dump, outcome, verdict, text, resumable);
    if (!resumable) {
      await this.tryOnDisk("note the next number of its dumps", () => dump.files.raiseBounds());
    }
    return error === undefined;
  }

  /** Does what no ack depends on; what it meets is told. */
  async tryOnDisk(what: string, step: () => void | Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#reports.notices.tell("warning", `cannot ${what}: ${describeError(error)}`);
    }
  }
}
