import { assertEquals, assertMatch } from "@std/assert";
import type { EventOf, ServerEvent } from "../../../lib/serve/events.ts";
import { Webhook, type WebhookSettings } from "../../../lib/serve/observers/webhook.ts";
import { completed, incomplete } from "./dump_events.ts";

/** A webhook to somebody who answers so, one after the other, and what was told. */
function webhookTo(
  answers: readonly (number | Error | "hangs")[],
  special: Partial<WebhookSettings> = {},
) {
  const posts: string[] = [];
  const told: ServerEvent[] = [];
  const webhook = new Webhook({
    post: (body, signal) => {
      const answer = answers[posts.length] ?? 200;
      posts.push(body);
      if (answer instanceof Error) return Promise.reject(answer);
      if (answer !== "hangs") return Promise.resolve({ status: answer });
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
    now: () => 1e12,
    ...{ limitMs: 60_000, backoffMs: [1, 1] },
    ...special,
  }, (event) => told.push(event));
  const results = () =>
    told.filter((event): event is EventOf<"webhook"> => event.event === "webhook").map((
      { id, result },
    ) => [id, result]);
  return { webhook, posts, results };
}

Deno.test("a dump that ended is posted as the log's JSON, one that goes on later is not", async () => {
  const { webhook, posts, results } = webhookTo([]);
  webhook.observe(completed());
  webhook.observe(incomplete({ id: "b" }));
  webhook.observe(incomplete({ id: "c" }, { resumable: true }));
  webhook.observe({ event: "ready" });
  await webhook.settled(60_000);
  assertEquals(results(), [
    ["a", { result: "delivered", tries: 1, status: 200 }],
    ["b", { result: "delivered", tries: 1, status: 200 }],
  ]);
  const { time, level, event, message, dump, complete } = JSON.parse(posts[0]!);
  assertEquals([time, level, event, dump.host, complete], [
    "2001-09-09T01:46:40.000Z",
    "info",
    "completed",
    "w1",
    true,
  ]);
  assertMatch(message, /^Completed dump from client w1/);
});

const ENDS: readonly (readonly [string, readonly (number | Error)[], unknown])[] = [
  ["again after a failure that may pass", [503, new Error("refused"), 204], {
    result: "delivered",
    tries: 3,
    status: 204,
  }],
  ["not more than three times", [500, 429, 408, 200], {
    result: "failed",
    tries: 3,
    reason: "it answered 408",
  }],
  ["not again after an answer that will be the same", [401], {
    result: "failed",
    tries: 1,
    reason: "it answered 401",
  }],
  ["not elsewhere, if it is sent there", [302], { result: "failed", tries: 1, reason: "it answered 302" }],
  ["three times to nobody", [new Error("x"), new Error("y"), new Error("z")], {
    result: "failed",
    tries: 3,
    reason: "z",
  }],
];

for (const [what, answers, result] of ENDS) {
  Deno.test(`a webhook is posted ${what}`, async () => {
    const { webhook, results } = webhookTo(answers);
    webhook.observe(completed());
    await webhook.settled(60_000);
    assertEquals(results(), [["a", result]]);
  });
}

Deno.test("an answer that does not come is not waited for without end", async () => {
  const { webhook, results } = webhookTo(["hangs", "hangs", "hangs"], { limitMs: 5 });
  webhook.observe(completed());
  await webhook.settled(60_000);
  assertEquals(results(), [["a", { result: "failed", tries: 3, reason: "it took longer than 0.005 s" }]]);
});

Deno.test("a server that stops gives up what hangs, waits or pauses, and tells it", async () => {
  const { webhook, results } = webhookTo(["hangs", 500], { backoffMs: [60_000, 60_000] });
  for (const id of ["a", "b", "c"]) webhook.observe(completed({ id }));
  await webhook.settled(20);
  assertEquals(results().map(([id, result]) => [id, (result as { reason?: string }).reason]).sort(), [
    ["a", "the server stopped"],
    ["b", "the server stopped"],
    ["c", "the server stopped"],
  ]);
});

Deno.test("what cannot wait any more is told as not posted (P7)", async () => {
  const { webhook, results } = webhookTo(["hangs", "hangs"]);
  for (let i = 0; i < 1027; i++) webhook.observe(completed({ id: `${i}` }));
  assertEquals(results(), [["1026", {
    result: "failed",
    tries: 0,
    reason: "1024 dumps are waiting already",
  }]]);
  await webhook.settled(1);
});
