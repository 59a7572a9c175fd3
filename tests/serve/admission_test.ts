import { assertEquals } from "@std/assert";
import { parseNetwork } from "../../lib/protocol/ipv4.ts";
import {
  Admission,
  type AdmissionRules,
  type AdmittedSession,
  type Decision,
  type HeraldRequest,
} from "../../lib/serve/admission.ts";

const RULES: AdmissionRules = { allow: [], mostSessions: 4, mostSessionsPerClient: 2 };
const HERALD: HeraldRequest = { client: "192.0.2.7", local: "192.0.2.1", path: null, heraldSeqno: 1 };
const ADMIT: Decision = { decision: "admit", evict: [] };

/** A session that an earlier HERALD of the same client led to. */
function session(id: string, fields: Partial<AdmittedSession> = {}): AdmittedSession {
  return { ...HERALD, id, admittedMs: 0, stage: "data", ...fields };
}

function decide(
  sessions: readonly AdmittedSession[],
  { rules = RULES, herald = HERALD, nowMs = 10_000 }: {
    rules?: AdmissionRules;
    herald?: HeraldRequest;
    nowMs?: number;
  } = {},
) {
  return new Admission(rules).decide(herald, sessions, nowMs);
}

Deno.test("Admission admits anyone where no network is named, and only those in a named one", () => {
  assertEquals(decide([]), ADMIT);
  const rules = { ...RULES, allow: [parseNetwork("198.51.100.0/24")!, parseNetwork("192.0.2.7")!] };
  assertEquals(decide([], { rules }), ADMIT);
  assertEquals(decide([], { rules, herald: { ...HERALD, client: "192.0.2.8" } }), {
    decision: "refuse",
    reason: "not in an allowed network",
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
  const others = [1, 2, 3].map((n) => session(`b${n}`, { client: `192.0.2.${n}` }));
  assertEquals(decide([...others, session("a", { stage: "heralded" })]), { decision: "again", id: "a" });
});

Deno.test("Admission starts a second dump beside a running one and never ends that (P6)", () => {
  assertEquals(decide([session("a")]), ADMIT);
  assertEquals(decide([session("a"), session("b")]), {
    decision: "refuse",
    reason: "2 dumps from this address already",
  });
});

Deno.test("Admission does not count finished dumps that only linger against their client", () => {
  assertEquals(decide([session("a", { stage: "finished" }), session("b", { stage: "finished" })]), ADMIT);
});

Deno.test("Admission closes a client's oldest session without data when it has too many", () => {
  const path = "lab";
  const sessions = [
    session("young", { stage: "heralded", admittedMs: 5, path }),
    session("old", { stage: "heralded", admittedMs: 1, path }),
  ];
  assertEquals(decide(sessions), { decision: "admit", evict: ["old"] });
  assertEquals(decide([session("a"), session("b", { stage: "heralded", path })]), {
    decision: "admit",
    evict: ["b"],
  });
});

Deno.test("Admission closes no session that was just heralded, not even for its own client: forged HERALDs", () => {
  const fresh = ["a", "b"].map((id) => session(id, { stage: "heralded", path: id, admittedMs: 9_000 }));
  assertEquals(decide(fresh), { decision: "refuse", reason: "2 dumps from this address already" });
});

Deno.test("Admission makes room by what has no data before what lingers, oldest first, never by a dump", () => {
  const other = (id: string, stage: AdmittedSession["stage"], admittedMs: number) =>
    session(id, { client: `192.0.2.${id}`, stage, admittedMs });
  const finished = [other("21", "finished", 1), other("22", "finished", 2)];
  assertEquals(decide([...finished, other("23", "heralded", 3), other("24", "data", 0)]), {
    decision: "admit",
    evict: ["23"],
  });
  assertEquals(decide([...finished, other("23", "data", 3), other("24", "data", 0)]), {
    decision: "admit",
    evict: ["21"],
  });
  // What was heralded a moment ago is about to send.
  const fresh = ["21", "22", "23", "24"].map((id) => other(id, "heralded", 9_000));
  assertEquals(decide(fresh), { decision: "refuse", reason: "4 sessions already" });
  assertEquals(decide(["21", "22", "23", "24"].map((id) => other(id, "data", 0))), {
    decision: "refuse",
    reason: "4 sessions already",
  });
});

Deno.test("Admission counts the place that a client's own old session gives up", () => {
  const path = "lab";
  const rules = { ...RULES, mostSessions: 2 };
  const sessions = [
    session("a", { stage: "heralded", path }),
    session("b", { stage: "heralded", path, admittedMs: 1 }),
  ];
  assertEquals(decide(sessions, { rules }), { decision: "admit", evict: ["a"] });
});

Deno.test("Admission lets a rack of 128 in at once, then 64 a second (P7)", () => {
  const admission = new Admission({ ...RULES, mostSessions: Infinity });
  const admitted = (nowMs: number) => {
    let count = 0;
    for (let n = 0; n < 200; n++) {
      const herald = { ...HERALD, client: `10.0.${n >> 8}.${n & 255}` };
      if (admission.decide(herald, [], nowMs).decision === "admit") count++;
    }
    return count;
  };
  assertEquals(admitted(0), 128);
  assertEquals(admitted(0), 0);
  assertEquals(admitted(1000), 64);
  assertEquals(admitted(1500), 32);
  assertEquals(admitted(100_000), 128);
  assertEquals(admission.decide(HERALD, [], 100_000), {
    decision: "refuse",
    reason: "too many new sessions at once",
  });
});

Deno.test("Admission does not count repeated and refused HERALDs against the rate of new sessions", () => {
  const admission = new Admission(RULES);
  for (let n = 0; n < 500; n++) {
    admission.decide(HERALD, [session("a", { stage: "heralded" })], 0);
    admission.decide(HERALD, [session("a"), session("b")], 0);
  }
  assertEquals(admission.decide(HERALD, [], 0), ADMIT);
});
