/**
 * A session with files: what it does to them, in the order that the promises ask for (P1, P9, P10).
 *
 * @module
 */
import type { Verdict } from "../session/completeness.ts";
import type { Clock } from "./clock.ts";
import type { DumpFiles } from "../store/dump_files.ts";
import type { EndingGate } from "./ending_gate.ts";
import { describeDump, type DumpInHand, finalCoreBytes, infoText } from "./dump_record.ts";
import { describeError } from "../../os/system_error.ts";
import { encodeHex, type SessionIdentity } from "../session/journal.ts";
import type { DumpRecord } from "../events.ts";
import type { ClientName } from "../orders.ts";
import { condense } from "../session/replay.ts";
import type { Message } from "../../protocol/message.ts";
import type { RunBuffer } from "./run_buffer.ts";
import type { Session } from "../session/session.ts";

/** The disk is looked at each time so much of a dump has been written. */
const SPACE_CHECK_BYTES = 4 * 1024 * 1024;
/** A write that failed; the message says which and why, and the dump has to be given up. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** A message that differs from what it repeats: it is not stored and not acked, and the dump goes on (P5). */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** What a dump needs of its surroundings. */
export interface DumpSurroundings {
  /** Bytes that may still be written to the disks of a directory and of the journals: the fewer of the two. */
  spareBytes(directory: string): number;
  /** A journal longer than this is condensed. */
  readonly longJournalBytes: number;
  /** Dumps end through this. */
  readonly endings: EndingGate;
  readonly clock: Clock;
}

/** A dump that is being received into files. */
export class ReceivedDump {
  readonly files: DumpFiles;
  readonly #identity: SessionIdentity;
  readonly #name: ClientName;
  readonly #session: Session;
  readonly #surroundings: DumpSurroundings;
  #uncheckedBytes = SPACE_CHECK_BYTES;
  #checkedJournalBytes = 0;
  #journalLimit: number;
  #syncError: unknown;

  constructor(
    identity: SessionIdentity,
    name: ClientName,
    session: Session,
    files: DumpFiles,
    surroundings: DumpSurroundings,
  ) {
    this.#identity = identity;
    this.#name = name;
    this.#session = session;
    this.files = files;
    this.#surroundings = surroundings;
    this.#journalLimit = surroundings.longJournalBytes;
  }

  /** All that is told about it. */
  describe(): DumpRecord {
    return describeDump(this.#inHand());
  }

  /**
   * Writes the info file as far as it is known, without an ending.
   *
   * @throws {StoreError}
   */
  writeInfo(): void {
    try {
      this.files.writeInfo(infoText(this.#inHand(), null, null));
    } catch (error) {
      throw new StoreError(`cannot write the info file: ${describeError(error)}`);
    }
  }

  /**
   * Writes a run and its journal line, then tells the session: nothing is acked before its write returned (P1).
   *
   * @param acks the seqnos that may be acked now are appended
   * @throws {StoreError}
   * @throws {RefusedError} if other bytes are there already
   */
  store(run: RunBuffer, nowMs: number, acks: number[]): void {
    if (this.#syncError !== undefined) throw new StoreError(`sync error: ${describeError(this.#syncError)}`);
    const fresh = !this.#session.core.intersects(run.offset, run.offset + run.length);
    if (!fresh && !this.#mayWriteAgain(run)) {
      for (let i = 0; i < run.count; i++) this.#session.numbers.refuse(run.seqno + i);
      throw new RefusedError(
        `${run.length} bytes at offset ${run.offset} differ from those that came there before`,
      );
    }
    try {
      this.#checkSpace(run.length);
      this.files.writeCore(run.bytes, run.words, run.length, run.offset, fresh);
      this.files.journal.append({ run: [run.offset, run.length, run.seqno, run.count, run.full] });
    } catch (error) {
      throw new StoreError(`write error at offset ${run.offset}: ${describeError(error)}`);
    }
    for (let i = 0, offset = run.offset; i < run.count; i++) {
      const length = run.sizeOf(i);
      if (!this.#session.stored(run.seqno + i, offset, length, nowMs, acks)) {
        throw new StoreError("the dump has too many holes");
      }
      offset += length;
    }
    this.files.syncAsItGrows((error) => this.#syncError = error);
    if (this.files.journal.size > this.#journalLimit) this.#condenseJournal();
  }

  /**
   * Takes a VMCORE message whose number came before: it must be what is in the file.
   *
   * @param acks the seqnos that may be acked now are appended
   * @throws {StoreError}
   * @throws {RefusedError}
   */
  repeat(
    { seqno, offset, payload }: Pick<Message, "seqno" | "offset" | "payload">,
    nowMs: number,
    acks: number[],
  ): void {
    const length = payload.byteLength;
    let isEqual: boolean;
    const isThere = this.#session.core.contains(offset, offset + length);
    try {
      isEqual = isThere && this.files.coreEquals(payload, 0, length, offset);
    } catch (error) {
      throw new StoreError(`read error at offset ${offset}: ${describeError(error)}`);
    }
    // What was written twice, on purpose, differs from its first sending.
    if (!isEqual && !(isThere && this.#session.beganStale)) {
      throw new RefusedError(
        `message ${seqno}, ${length} bytes at offset ${offset}, differs from what came with that number before`,
      );
    }
    this.#session.repeated(seqno, length, nowMs, acks);
  }

  /**
   * Writes a piece of the kernel dump header.
   *
   * @returns whether it brought anything
   * @throws {StoreError}
   * @throws {RefusedError} if other bytes are there already
   */
  storeHeader(seqno: number, offset: number, bytes: Uint8Array): boolean {
    switch (this.#session.compareHeader(offset, bytes)) {
      case "equal":
        return false;
      case "different":
        this.#session.numbers.refuse(seqno);
        throw new RefusedError("a kernel dump header differs from the one that came before");
    }
    try {
      this.#checkSpace(bytes.byteLength);
      this.files.writeHeader(offset, bytes);
      this.files.journal.append({ header: [seqno, offset, encodeHex(bytes)] });
    } catch (error) {
      throw new StoreError(`cannot write the header: ${describeError(error)}`);
    }
    this.#session.headerStored(offset, bytes);
    if (this.#session.header.kind !== "part") this.writeInfo();
    return true;
  }

  /**
   * Writes a piece of the key.
   *
   * @returns whether it brought anything
   * @throws {StoreError}
   * @throws {RefusedError} if other bytes are there already
   */
  storeKey(seqno: number, offset: number, bytes: Uint8Array): boolean {
    const { key } = this.#session;
    try {
      for (const { start, end } of key.within(offset, offset + bytes.byteLength)) {
        if (!this.files.keyEquals(start, bytes.subarray(start - offset, end - offset))) {
          this.#session.numbers.refuse(seqno);
          throw new RefusedError("a piece of the key differs from the one that came before");
        }
      }
      if (key.contains(offset, offset + bytes.byteLength)) return false;
      this.#checkSpace(bytes.byteLength);
      this.files.writeKey(offset, bytes);
      this.files.journal.append({ key: [seqno, offset, bytes.byteLength] });
      this.#session.keyStored(offset, bytes.byteLength);
      return true;
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      throw new StoreError(`cannot write the key: ${describeError(error)}`);
    }
  }

  /** Records the end of a batch that silence proved, which the journal's runs do not show. */
  recordAcknowledgement(): void {
    const { state } = this.#session.acknowledgement;
    try {
      if (state !== undefined) this.files.journal.append({ acknowledgement: state });
    } catch (error) {
      throw new StoreError(`cannot write the journal: ${describeError(error)}`);
    }
  }

  /**
   * Makes the dump final (P1).
   *
   * @throws {StoreError}
   */
  async finalize(seqno: number, verdict: Verdict): Promise<void> {
    const ending = verdict.complete ? "Dump complete" : `Dump incomplete: ${verdict.reason}`;
    try {
      if (this.#syncError !== undefined) throw this.#syncError;
      this.files.journal.append({ finished: seqno });
      await this.#surroundings.endings.pass(() =>
        this.files.finalize({
          complete: verdict.complete,
          atMs: this.#surroundings.clock.unixMs(),
          encrypted: this.#session.encrypted,
          compression: this.#session.compression,
          coreBytes: finalCoreBytes(this.#session, this.files),
          info: infoText(this.#inHand(), verdict, ending),
        })
      );
    } catch (error) {
      throw new StoreError(`cannot make the dump final: ${describeError(error)}`);
    }
  }

  /**
   * Labels the dump as incomplete (P10).
   *
   * @returns the first error, `undefined` if there was none
   */
  async abandon(verdict: Verdict, reason: string): Promise<unknown> {
    const info = infoText(this.#inHand(), verdict, `Dump incomplete: ${reason}`);
    return await this.#surroundings.endings.pass(() => this.files.abandon(this.#session.encrypted, info));
  }

  #inHand(): DumpInHand {
    return {
      identity: this.#identity,
      name: this.#name,
      session: this.#session,
      files: this.files,
      durationMs: this.#surroundings.clock.unixMs() - this.#identity.startedMs,
    };
  }

  /**
   * Whether what the run would write over is equal, or stale.
   *
   * @throws {StoreError}
   */
  #mayWriteAgain(run: RunBuffer): boolean {
    const { core, beganStale } = this.#session;
    if (beganStale) return true;
    try {
      return core.within(run.offset, run.offset + run.length).every(({ start, end }) =>
        this.files.coreEquals(run.bytes, start - run.offset, end - start, start)
      );
    } catch (error) {
      throw new StoreError(`read error at offset ${run.offset}: ${describeError(error)}`);
    }
  }

  /** Looks at the disk now and then; the journal counts as what it notes does. */
  #checkSpace(bytes: number): void {
    const journalBytes = this.files.journal.size;
    this.#uncheckedBytes += bytes + Math.max(0, journalBytes - this.#checkedJournalBytes);
    this.#checkedJournalBytes = journalBytes;
    if (this.#uncheckedBytes < SPACE_CHECK_BYTES) return;
    this.#uncheckedBytes = 0;
    if (this.#surroundings.spareBytes(this.files.directory) <= 0) {
      throw new Error("the disk has no more than the space to be kept free");
    }
  }

  #condenseJournal(): void {
    const records = condense(this.#session);
    if (records === undefined) return;
    const { files } = this;
    const { hostName } = this.#name;
    try {
      const head = { format: 2, session: this.#identity } as const;
      files.journal.rewrite(head, [{ place: files.place, hostName }, { index: files.index }, ...records]);
      this.#journalLimit = Math.max(this.#surroundings.longJournalBytes, 2 * files.journal.size);
    } catch {
      // The long journal is as good as the short one; a full disk shows in the next append.
      this.#journalLimit *= 2;
    }
  }
}
