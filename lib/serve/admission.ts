/**
 * Who may dump, and how many at once (P7). Pure: a HERALD and the sessions in, a decision out.
 *
 * @module
 */
import { type Network, networkContains } from "../protocol/ipv4.ts";

/** A session without data that is younger than this is not closed to make room. */
const SETTLED_MS = 2000;
/** New sessions: at once, and per second after that. A whole rack heralds together, and again each second. */
const BURST_SESSIONS = 128;
const SESSIONS_PER_SECOND = 64;

/** What admission knows of a session. */
export interface AdmittedSession {
  readonly id: string;
  readonly client: string;
  readonly local: string;
  readonly path: string | null;
  readonly heraldSeqno: number;
  readonly admittedMs: number;
  readonly stage: "heralded" | "data" | "finished";
}

/** A HERALD. */
export interface HeraldRequest {
  readonly client: string;
  readonly local: string;
  readonly path: string | null;
  readonly heraldSeqno: number;
}

/** Limits. */
export interface AdmissionRules {
  /** Empty for anyone. */
  readonly allow: readonly Network[];
  readonly mostSessions: number;
  readonly mostSessionsPerClient: number;
}

/** What to do with a HERALD. */
export type Decision =
  /** A new session, after closing others. */
  | { readonly decision: "admit"; readonly evict: readonly string[] }
  /** A repeated HERALD: its session acks again. */
  | { readonly decision: "again"; readonly id: string }
  | { readonly decision: "refuse"; readonly reason: string };

/** Decides on HERALDs. */
export class Admission {
  readonly #rules: AdmissionRules;
  #tokens = BURST_SESSIONS;
  #tokensMs = -Infinity;

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** Decides on a HERALD; a decision to admit counts against the rate of new sessions. */
  decide(herald: HeraldRequest, sessions: Iterable<AdmittedSession>, nowMs: number): Decision {
    const { allow, mostSessions, mostSessionsPerClient } = this.#rules;
    if (allow.length > 0 && !allow.some((network) => networkContains(network, herald.client))) {
      return { decision: "refuse", reason: "not in an allowed network" };
    }
    const all = [...sessions];
    // Only a session without data can be meant: a HERALD behind data is late, or begins another dump (P6).
    const same = all.find((session) => session.stage === "heralded" && isRepeated(session, herald));
    if (same !== undefined) return { decision: "again", id: same.id };
    const own = all.filter((session) => session.client === herald.client && session.stage !== "finished");
    const evict: string[] = [];
    if (own.length >= mostSessionsPerClient) {
      const victim = oldest(own.filter((session) => mayMakeRoom(session, nowMs)));
      if (victim === undefined) {
        return { decision: "refuse", reason: `${own.length} dumps from this address already` };
      }
      evict.push(victim.id);
    }
    if (all.length - evict.length >= mostSessions) {
      const victim = oldest(
        all.filter((session) => mayMakeRoom(session, nowMs) && !evict.includes(session.id)),
      );
      if (victim === undefined) return { decision: "refuse", reason: `${all.length} sessions already` };
      evict.push(victim.id);
    }
    if (!this.#takeToken(nowMs)) return { decision: "refuse", reason: "too many new sessions at once" };
    return { decision: "admit", evict };
  }

  #takeToken(nowMs: number): boolean {
    const earned = (nowMs - this.#tokensMs) / 1000 * SESSIONS_PER_SECOND;
    this.#tokens = Math.min(BURST_SESSIONS, this.#tokens + earned);
    this.#tokensMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** A session that was heralded a moment ago is about to send: closing it would cost the client its dump. */
function mayMakeRoom(session: AdmittedSession, nowMs: number): boolean {
  return session.stage === "finished" ||
    (session.stage === "heralded" && nowMs - session.admittedMs >= SETTLED_MS);
}

function isRepeated(session: AdmittedSession, herald: HeraldRequest): boolean {
  return session.client === herald.client && session.local === herald.local && session.path === herald.path &&
    session.heraldSeqno === herald.heraldSeqno;
}

/** The session to close first: one without data before one that lingers, the oldest of its kind. */
function oldest(sessions: readonly AdmittedSession[]): AdmittedSession | undefined {
  return sessions.toSorted((a, b) =>
    Number(a.stage === "finished") - Number(b.stage === "finished") || a.admittedMs - b.admittedMs
  )[0];
}
