import { assertEquals } from "@std/assert";
import { VERSION } from "../../lib/version.ts";
import denoJson from "../../deno.json" with { type: "json" };

Deno.test("VERSION is the version in deno.json", () => {
  assertEquals(VERSION, denoJson.version);
});
