/**
 * A session under watch: whatever comes, it acks nothing that is not stored, and keeps within its bounds.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Message, MessageType } from "../../lib/protocol/message.ts";
import { DataVerdict, type Effect, MOST_KEY_BYTES, Session } from "../../lib/serve/session/session.ts";

/** A session with a server around it that stores nothing but remembers what it should have stored. */
export class SessionWitness {
  readonly session: Session;
  nowMs = 0;
  /** Seqnos under which something was stored, or that need nothing stored. */
  readonly #ackable = new Set<number>();

  constructor(heraldSeqno: number, mostBytes: number) {
    this.session = new Session({ heraldSeqno, timeoutMs: 60_000, lingerMs: 1000, mostBytes }, 0);
  }

  /** Takes a message; throws if the session does what it must not. */
  take(message: Message): void {
    if (message.type === MessageType.VMCORE) this.#data(message);
    else this.#control(message);
    this.#letTimePass();
    this.#checkBounds();
  }

  #data({ seqno, offset, payload: { byteLength } }: Message): void {
    const acks: number[] = [];
    switch (this.session.data(seqno, offset, byteLength, this.nowMs)) {
      case DataVerdict.STORE:
        assert(offset + byteLength <= this.session.settings.mostBytes, "stored beyond the limit");
        this.#ackable.add(seqno);
        if (!this.session.stored(seqno, offset, byteLength, this.nowMs, acks)) this.session.end();
        break;
      case DataVerdict.COMPARE:
        if (!this.session.core.contains(offset, offset + byteLength)) break;
        this.#ackable.add(seqno);
        this.session.repeated(seqno, byteLength, this.nowMs, acks);
        break;
      case DataVerdict.ACK:
        assert(
          this.session.core.contains(offset, offset + byteLength),
          `acked ${offset}, which is not stored`,
        );
        break;
      case DataVerdict.DROP:
      case DataVerdict.IMPOSSIBLE:
        break;
      case DataVerdict.TOO_LARGE:
        this.session.end();
    }
    this.#checkAcks(acks);
  }

  #control(message: Message): void {
    const acks: number[] = [];
    const effects = this.session.control(message, this.nowMs, acks);
    this.#checkAcks(acks);
    let written = false;
    for (const effect of effects) {
      if (effect.do === "ack") this.#checkAck(effect.seqno, message, written);
      else written = this.#perform(effect) || written;
    }
  }

  /** Performs an effect; tells whether it wrote something. */
  #perform(effect: Effect): boolean {
    const { session } = this;
    switch (effect.do) {
      case "write-header":
        session.headerStored(effect.offset, effect.bytes);
        return true;
      case "write-key":
        assert(effect.offset + effect.bytes.byteLength <= MOST_KEY_BYTES, "a key beyond the limit");
        session.keyStored(effect.offset, effect.bytes.byteLength);
        return true;
      case "finalize": {
        const { complete, reason } = effect.verdict;
        assertEquals(complete, reason === null);
        const { header } = session;
        // Behind the dump's length there is only padding.
        if (complete) {
          assert(header.kind === "header" || header.kind === "newer", "complete without a header");
          assertEquals(session.core.missing(0, header.header.dumpLength), []);
        }
        session.finalized(this.nowMs);
        return false;
      }
      case "ack":
      case "ignore":
        return false;
    }
  }

  #checkAck(seqno: number, message: Message, written: boolean): void {
    assertEquals(seqno, message.seqno);
    if (written || message.type === MessageType.FINISHED) return;
    assertEquals(this.session.phase, "finished", "acked without a write");
    const end = message.offset + message.payload.byteLength;
    const isIn = message.type === MessageType.EKCD_KEY
      ? this.session.key.contains(message.offset, end)
      : this.session.headerPieces().some(({ offset, bytes }) =>
        offset <= message.offset && offset + bytes.byteLength >= end
      );
    assert(isIn, "acked what is not in the dump");
  }

  #checkAcks(acks: readonly number[]): void {
    for (const seqno of acks) assert(this.#ackable.has(seqno), `acked ${seqno}, which was never stored`);
  }

  #letTimePass(): void {
    for (let looks = 0; this.nowMs >= this.session.deadlineMs; looks++) {
      assert(looks < 4, "the session asks to be looked at again and again");
      const due = this.session.due(this.nowMs);
      if (due.do === "end" || due.do === "close") return this.session.end();
      const acks: number[] = [];
      this.session.expireAcks(this.nowMs, acks);
      this.#checkAcks(acks);
      if (this.session.phase === "ended") return;
    }
  }

  #checkBounds(): void {
    const { core, key, acknowledgement, header } = this.session;
    assert(core.count <= 8192 && key.count <= 64 && key.end <= MOST_KEY_BYTES, "too many ranges");
    assert(core.end <= this.session.settings.mostBytes, "the core is too large");
    assert(acknowledgement.held <= 4096, "too many acks are held");
    assert((acknowledgement.state?.provenEnds.length ?? 0) <= 4096, "too many ends are remembered");
    assert(header.kind !== "header" || header.header.version <= 4);
  }
}
