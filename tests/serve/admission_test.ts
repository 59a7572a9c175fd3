import { assertEquals } from "@std/assert";
import { parseNetwork } from "../../lib/protocol/ipv4.ts";
import {
  Admission,
  type AdmissionRules,
  type AdmittedSession,
  type Decision,
  type HeraldRequest,
  type Sessions,
} from "../../lib/serve/admission.ts";

const RULES: AdmissionRules = { allow: [], mostSessions: 4, mostSessionsPerClient: 2 };
const HERALD: HeraldRequest = { client: "192.0.2.7", local: "192.0.2.1", path: null, heraldSeqno: 1 };
const ADMIT: Decision = { decision: "admit", evict: [] };

/** A session that an earlier HERALD of the same client led to. */
function session(id: string, fields: Partial<AdmittedSession> = {}): AdmittedSession {
  const at = fields.admittedMs ?? 0;
  const progress = { heardMs: at, progressMs: at, receivedBytes: 1_000_000, isLeaving: false };
  return { ...HERALD, id, admittedMs: 0, stage: "data", ...progress, ...fields };
}

/** A dump that is running: it got something a moment ago. */
function running(id: string, fields: Partial<AdmittedSession> = {}): AdmittedSession {
  return session(id, { heardMs: 9_900, progressMs: 9_900, ...fields });
}

/** Sessions as admission asks for them. */
function table(sessions: readonly AdmittedSession[]): Sessions {
  return {
    size: sessions.length,
    of: (client) => sessions.filter((session) => session.client === client),
    all: () => sessions,
  };
}

function decide(
  sessions: readonly AdmittedSession[],
  { rules = RULES, herald = HERALD, nowMs = 10_000 }: {
    rules?: AdmissionRules;
    herald?: HeraldRequest;
    nowMs?: number;
  } = {},
) {
  return new Admission(rules).decide(herald, table(sessions), nowMs);
}

Deno.test("Admission admits anyone where no network is named, and only those in a named one", () => {
  assertEquals(decide([]), ADMIT);
  const rules = { ...RULES, allow: [parseNetwork("198.51.100.0/24")!, parseNetwork("192.0.2.7")!] };
  assertEquals(decide([], { rules }), ADMIT);
  assertEquals(decide([], { rules, herald: { ...HERALD, client: "192.0.2.8" } }), {
    decision: "refuse",
    cause: "not-allowed",
    reason: "its address is in no network that --allow names",
  });
});

Deno.test("Admission takes a repeated HERALD for the same dump as long as that has no data", () => {
  assertEquals(decide([session("a", { stage: "heralded" })]), { decision: "again", id: "a" });
  for (
    const other of [{ path: "lab" }, { local: "192.0.2.2" }, { heraldSeqno: 0 }, { client: "192.0.2.8" }]
  ) {
    assertEquals(decide([session("a", { stage: "heralded", ...other })]), ADMIT);
  }
});

Deno.test("Admission answers a repeated HERALD even when all places are taken", () => {
  const others = [1, 2, 3].map((n) => running(`b${n}`, { client: `192.0.2.${n}` }));
  assertEquals(decide([...others, session("a", { stage: "heralded" })]), { decision: "again", id: "a" });
});

const CLIENT_FULL: Decision = {
  decision: "refuse",
  cause: "client-limit",
  reason: "2 dumps from its address are running, which is the limit of --max-sessions-per-client",
};

Deno.test("Admission starts a second dump beside a running one and never ends that (P6)", () => {
  assertEquals(decide([running("a")]), ADMIT);
  assertEquals(decide([running("a"), running("b")]), CLIENT_FULL);
  // A kernel that compresses is silent for a while.
  assertEquals(
    decide([running("a"), running("b", { heardMs: 0, progressMs: 0 })], { nowMs: 29_000 }),
    CLIENT_FULL,
  );
});

Deno.test("Admission does not count finished dumps that only linger against their client", () => {
  assertEquals(decide([session("a", { stage: "finished" }), session("b", { stage: "finished" })]), ADMIT);
});

Deno.test("Admission lets a dump that has been silent for 30 s give way to its own client's next HERALD: crash loops", () => {
  const broken = [session("a"), session("b", { heardMs: 500, progressMs: 500 })];
  assertEquals(decide(broken, { nowMs: 29_000 }), CLIENT_FULL);
  assertEquals(decide(broken, { nowMs: 31_000 }), { decision: "admit", evict: ["a"] });
});

Deno.test("Admission lets sessions with next to nothing give way to their client's newest HERALD: blind spoofing", () => {
  const forged = [1, 2].map((n) => session(`f${n}`, { receivedBytes: n, progressMs: 7_000, heardMs: 9_999 }));
  assertEquals(decide(forged), { decision: "admit", evict: ["f1"] });
  // A dump that has just begun is not silent yet.
  const fresh = forged.map((session) => ({ ...session, progressMs: 8_500 }));
  assertEquals(decide(fresh), CLIENT_FULL);
});

Deno.test("Admission counts what was admitted: a session told to leave makes room once", () => {
  const leaving = session("a", { stage: "heralded", isLeaving: true });
  const newer = session("c", { stage: "heralded", admittedMs: 9_500, progressMs: 9_500, path: "lab" });
  // "a" gave its place to "c": there are two that count.
  assertEquals(decide([leaving, running("b"), newer]), CLIENT_FULL);
});

Deno.test("Admission closes a client's oldest session without data when it has too many", () => {
  const path = "lab";
  const sessions = [
    session("young", { stage: "heralded", admittedMs: 5, receivedBytes: 0, path }),
    session("old", { stage: "heralded", admittedMs: 1, receivedBytes: 0, path }),
  ];
  assertEquals(decide(sessions), { decision: "admit", evict: ["old"] });
  assertEquals(decide([running("a"), session("b", { stage: "heralded", path })]), {
    decision: "admit",
    evict: ["b"],
  });
});

Deno.test("Admission closes no session that was just heralded, not even for its own client: forged HERALDs", () => {
  const fresh = ["a", "b"].map((id) => session(id, { stage: "heralded", path: id, admittedMs: 9_000 }));
  assertEquals(decide(fresh), CLIENT_FULL);
});

Deno.test("Admission makes room by what has no data before what lingers before what has long got nothing", () => {
  const other = (id: string, stage: AdmittedSession["stage"], admittedMs: number) =>
    session(id, { client: `10.0.${id}.1`, stage, admittedMs, receivedBytes: 0 });
  const finished = [other("21", "finished", 1), other("22", "finished", 2)];
  const nowMs = 40_000;
  assertEquals(decide([...finished, other("23", "heralded", 3), other("24", "data", 0)], { nowMs }), {
    decision: "admit",
    evict: ["23"],
  });
  assertEquals(decide([...finished, other("23", "data", 3), other("24", "data", 0)], { nowMs }), {
    decision: "admit",
    evict: ["21"],
  });
  assertEquals(decide(["21", "22", "23", "24"].map((id, i) => other(id, "data", 10 - i)), { nowMs }), {
    decision: "admit",
    evict: ["24"],
  });
  const full: Decision = {
    decision: "refuse",
    cause: "session-limit",
    reason: "4 sessions are open, which is the limit of --max-sessions",
  };
  // What was heralded a moment ago is about to send; what runs is never ended.
  assertEquals(decide(["21", "22", "23", "24"].map((id) => other(id, "heralded", 9_000))), full);
  assertEquals(decide(["21", "22", "23", "24"].map((id) => other(id, "data", 0))), full);
});

Deno.test("Admission makes room first where an address or its network has most sessions", () => {
  const at = (id: string, client: string) => session(id, { client, stage: "heralded", receivedBytes: 0 });
  const rules = { ...RULES, mostSessions: 5 };
  assertEquals(
    decide([
      at("a", "10.0.0.1"),
      at("b", "10.0.1.1"),
      at("c", "10.0.2.1"),
      at("d", "10.0.1.2"),
      at("e", "10.0.1.2"),
    ], {
      rules,
    }),
    { decision: "admit", evict: ["d"] },
  );
});

Deno.test("Admission keeps a quarter of the places for addresses that have none", () => {
  const rules = { ...RULES, mostSessions: 8, mostSessionsPerClient: 4 };
  const sessions = [1, 2, 3, 4, 5].map((n) => running(`${n}`, { client: `10.0.${n}.1` }));
  const own = running("own");
  assertEquals(decide([...sessions, own], { rules }), {
    decision: "refuse",
    cause: "session-limit",
    reason: "6 sessions are open, and the last 2 of 8 places are kept for addresses that have none",
  });
  assertEquals(decide([...sessions, running("x", { client: "10.9.9.9" })], { rules }), ADMIT);
});

Deno.test("Admission counts the place that a client's own old session gives up", () => {
  const path = "lab";
  const rules = { ...RULES, mostSessions: 2 };
  const sessions = [
    session("a", { stage: "heralded", path, receivedBytes: 0 }),
    session("b", { stage: "heralded", path, admittedMs: 1, receivedBytes: 0 }),
  ];
  assertEquals(decide(sessions, { rules }), { decision: "admit", evict: ["a"] });
});

Deno.test("Admission lets a client in that heralds again a second after it was refused: a flood from ever new addresses", () => {
  const admission = new Admission({ ...RULES, mostSessions: Infinity });
  let forged = 0;
  const flood = (nowMs: number) => {
    for (let n = 0; n < 1000; n++, forged++) {
      const client = `${10 + (forged >> 24)}.${(forged >> 16) & 255}.${(forged >> 8) & 255}.${forged & 255}`;
      admission.decide({ ...HERALD, client }, table([]), nowMs + n);
    }
  };
  flood(0);
  assertEquals(admission.decide(HERALD, table([]), 1000).decision, "refuse");
  flood(1000);
  assertEquals(admission.decide(HERALD, table([]), 2000), ADMIT);
});

Deno.test("Admission lets a rack of 128 in at once, then 64 a second (P7)", () => {
  const admission = new Admission({ ...RULES, mostSessions: Infinity });
  let calls = 0;
  const admitted = (nowMs: number) => {
    let count = 0;
    calls += 256;
    for (let n = 0; n < 200; n++) {
      // Never a client that was refused before: those get in sooner.
      const herald = { ...HERALD, client: `10.${(calls >> 8) & 255}.${n >> 8}.${n & 255}` };
      if (admission.decide(herald, table([]), nowMs).decision === "admit") count++;
    }
    return count;
  };
  assertEquals(admitted(0), 128);
  assertEquals(admitted(0), 0);
  assertEquals(admitted(1000), 64);
  assertEquals(admitted(1500), 32);
  assertEquals(admitted(100_000), 128);
  assertEquals(admission.decide(HERALD, table([]), 100_000), {
    decision: "refuse",
    cause: "rate",
    reason: "too many new sessions at once",
  });
});

Deno.test("Admission does not count repeated and refused HERALDs against the rate of new sessions", () => {
  const admission = new Admission(RULES);
  for (let n = 0; n < 500; n++) {
    admission.decide(HERALD, table([session("a", { stage: "heralded" })]), 0);
    admission.decide(HERALD, table([running("a"), running("b")]), 0);
  }
  assertEquals(admission.decide(HERALD, table([]), 0), ADMIT);
});
