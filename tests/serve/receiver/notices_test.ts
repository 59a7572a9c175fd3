import { assertEquals } from "@std/assert";
import { Notices } from "../../../lib/serve/receiver/notices.ts";

Deno.test("Notices tells the first of what others provoke, and sums up the rest once (P7)", () => {
  const told: string[] = [];
  const notices = new Notices((level, text) => told.push(`${level} ${text}`));
  for (let i = 0; i < 5; i++) notices.provoked("warning", "datagrams of others were ignored", `from ${i}`);
  notices.provoked("debug", "receives failed", "a receive failed");
  for (let i = 0; i < 2; i++) notices.tell("warning", "cannot close");
  assertEquals(told.splice(0), [
    "warning from 0",
    "debug a receive failed",
    "warning cannot close",
    "warning cannot close",
  ]);
  notices.sumUp();
  notices.sumUp();
  assertEquals(told, ["warning 5 datagrams of others were ignored"]);
});
