/**
 * Who may dump, and how many at once (P7). Pure: a HERALD and the sessions in, a decision out.
 *
 * Anyone can forge HERALDs, and a packet or two behind them, in anyone's name. So what a session is worth is what it
 * receives: one that gets nothing new gives way to one that was just heralded, to its own client's soonest, and of others'
 * those first whose address or network has the most. A dump that runs is never ended by a HERALD (P6).
 *
 * @module
 */
import { type Network, networkContains } from "../protocol/ipv4.ts";

/** A session without data, or with next to none, that is younger or got something later than this does not give way. */
const SETTLED_MS = 2000;
/** So long a kernel is never silent: it gives up after 12 s without an ack (reference netdump-protocol.md 3.2). */
const SILENT_MS = 30_000;
/** Less than a kernel's first batch: a session with so little may have been begun by a forged packet. */
const NEXT_TO_NOTHING_BYTES = 65_536;
/** One in so many places is kept for addresses that have none. */
const PLACES_KEPT_SHARE = 4;
/** New sessions: at once, and per second after that. A whole rack heralds together, and again each second. */
const RATE = { burst: 128, perSecond: 64 };
/**
 * The same again for clients that herald anew after they were refused: kernels do each second, and whoever forges
 * HERALDs from ever new addresses does not.
 */
const PATIENT = { afterMs: 500, withinMs: 5000, mostRemembered: 32_768 };

/** What admission knows of a session. */
export interface AdmittedSession {
  readonly id: string;
  readonly client: string;
  readonly local: string;
  readonly path: string | null;
  readonly heraldSeqno: number;
  readonly admittedMs: number;
  readonly stage: "heralded" | "data" | "finished";
  /** When a message of its client came last, and when one with bytes that were new; when it was admitted if none did. */
  readonly heardMs: number;
  readonly progressMs: number;
  /** Distinct bytes it has received. */
  readonly receivedBytes: number;
  /** It was told to give way: its place is another's already. */
  readonly isLeaving: boolean;
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

/** The sessions there are. */
export interface Sessions {
  readonly size: number;
  /** Those of a client's address. */
  of(client: string): readonly AdmittedSession[];
  all(): readonly AdmittedSession[];
}

/** Why a HERALD is refused. */
export type RefusalCause = "not-allowed" | "client-limit" | "session-limit" | "rate";

/** What to do with a HERALD. */
export type Decision =
  /** A new session, after closing others. */
  | { readonly decision: "admit"; readonly evict: readonly string[] }
  /** A repeated HERALD: its session acks again. */
  | { readonly decision: "again"; readonly id: string }
  | { readonly decision: "refuse"; readonly cause: RefusalCause; readonly reason: string };

/** Decides on HERALDs. */
export class Admission {
  readonly #rules: AdmissionRules;
  readonly #all = new Bucket(RATE.burst, RATE.perSecond);
  readonly #patient = new Bucket(RATE.burst, RATE.perSecond);
  /** When clients were first refused for the rate, the latest last. */
  readonly #refusedMs = new Map<string, number>();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** Decides on a HERALD; a decision to admit counts against the rate of new sessions. */
  decide(herald: HeraldRequest, sessions: Sessions, nowMs: number): Decision {
    const { allow, mostSessions, mostSessionsPerClient } = this.#rules;
    const { client } = herald;
    if (allow.length > 0 && !allow.some((network) => networkContains(network, client))) {
      return refuse("not-allowed", "its address is in no network that --allow names");
    }
    const own = sessions.of(client);
    // Only a session without data can be meant: a HERALD behind data is late, or begins another dump (P6).
    const same = own.find((session) => session.stage === "heralded" && isRepeated(session, herald));
    if (same !== undefined) return { decision: "again", id: same.id };
    const present = own.filter((session) => !session.isLeaving);
    const open = present.filter(({ stage }) => stage !== "finished");
    const evict: string[] = [];
    if (open.length >= mostSessionsPerClient) {
      const victim = leastWorth(open.filter((session) => givesWayToItsOwn(session, nowMs)));
      if (victim === undefined) {
        const text =
          `${open.length} dumps from its address are running, which is the limit of --max-sessions-per-client`;
        return refuse("client-limit", text);
      }
      evict.push(victim.id);
    }
    // What costs more than a look at the client's own comes behind the rate.
    if (!this.#takeToken(client, nowMs)) return refuse("rate", "too many new sessions at once");
    const places = present.length - evict.length === 0
      ? mostSessions
      : mostSessions - Math.floor(mostSessions / PLACES_KEPT_SHARE);
    if (sessions.size - evict.length >= places) {
      const all = sessions.all().filter((session) => !session.isLeaving);
      if (all.length - evict.length >= places) {
        const victim = leastWorthOfAll(
          all.filter((session) => givesWay(session, nowMs) && !evict.includes(session.id)),
        );
        if (victim === undefined) {
          const kept = mostSessions - places;
          const limit = kept === 0
            ? "which is the limit of --max-sessions"
            : `and the last ${kept} of ${mostSessions} places are kept for addresses that have none`;
          return refuse("session-limit", `${all.length} sessions are open, ${limit}`);
        }
        evict.push(victim.id);
      }
    }
    this.#refusedMs.delete(client);
    return { decision: "admit", evict };
  }

  #takeToken(client: string, nowMs: number): boolean {
    const refusedMs = this.#refusedMs.get(client);
    const isPatient = refusedMs !== undefined && nowMs - refusedMs >= PATIENT.afterMs &&
      nowMs - refusedMs <= PATIENT.withinMs;
    if (this.#all.take(nowMs) || (isPatient && this.#patient.take(nowMs))) return true;
    if (refusedMs === undefined || nowMs - refusedMs > PATIENT.withinMs) {
      this.#refusedMs.delete(client);
      if (this.#refusedMs.size >= PATIENT.mostRemembered) {
        this.#refusedMs.delete(this.#refusedMs.keys().next().value!);
      }
      this.#refusedMs.set(client, nowMs);
    }
    return false;
  }
}

/** So many at once, and so many per second after that. */
class Bucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #takenMs = -Infinity;

  constructor(burst: number, perSecond: number) {
    this.#burst = this.#tokens = burst;
    this.#perSecond = perSecond;
  }

  take(nowMs: number): boolean {
    const earned = (nowMs - this.#takenMs) / 1000 * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#takenMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

function refuse(cause: RefusalCause, reason: string): Decision {
  return { decision: "refuse", cause, reason };
}

function isRepeated(session: AdmittedSession, herald: HeraldRequest): boolean {
  return session.local === herald.local && session.path === herald.path &&
    session.heraldSeqno === herald.heraldSeqno && !session.isLeaving;
}

/** Whether a session gives way to any other: it has no data, it is final, or its client is gone. */
function givesWay(session: AdmittedSession, nowMs: number): boolean {
  switch (session.stage) {
    case "finished":
      return true;
    case "heralded":
      // One that was heralded a moment ago is about to send: closing it would cost the client its dump.
      return nowMs - session.admittedMs >= SETTLED_MS;
    case "data":
      return nowMs - session.progressMs >= SILENT_MS;
  }
}

/** Whether a session gives way to a newer one of its own client, which cannot be sending to both. */
function givesWayToItsOwn(session: AdmittedSession, nowMs: number): boolean {
  if (givesWay(session, nowMs) || nowMs - session.heardMs >= SILENT_MS) return true;
  return session.receivedBytes < NEXT_TO_NOTHING_BYTES && nowMs - session.progressMs >= SETTLED_MS;
}

/** The session that has least to lose: one without data, one that lingers, the one that got least and has long got nothing. */
function leastWorth<T extends AdmittedSession>(sessions: readonly T[]): T | undefined {
  return sessions.toSorted((a, b) => compareWorth(a, b))[0];
}

/** The same among all, those first whose network and address have the most sessions. */
function leastWorthOfAll(sessions: readonly AdmittedSession[]): AdmittedSession | undefined {
  const counts = new Map<string, number>();
  const count = (key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const { client } of sessions) {
    count(client);
    count(networkOf(client));
  }
  return sessions.toSorted((a, b) =>
    counts.get(networkOf(b.client))! - counts.get(networkOf(a.client))! ||
    counts.get(b.client)! - counts.get(a.client)! || compareWorth(a, b)
  )[0];
}

const STAGE_WORTH = { heralded: 0, finished: 1, data: 2 } as const;

function compareWorth(a: AdmittedSession, b: AdmittedSession): number {
  return STAGE_WORTH[a.stage] - STAGE_WORTH[b.stage] || a.receivedBytes - b.receivedBytes ||
    a.progressMs - b.progressMs;
}

/** The /24 of an address. */
function networkOf(client: string): string {
  return client.slice(0, client.lastIndexOf(".") + 1);
}
