import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { credentialsOf, parseCredentials, parseEndpoint } from "../../lib/archive/credentials.ts";
import {
  catalogueKey,
  catalogueKeyOf,
  dayPrefix,
  dumpPrefix,
  parseShelfLocation,
} from "../../lib/archive/keys.ts";
import { Pacer } from "../../lib/archive/pace.ts";
import { elementText, escapeXml } from "../../lib/archive/xml.ts";

Deno.test("elementText() gives back what escapeXml() wrote, whatever the text", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    assertEquals(elementText(`<A><B>${escapeXml(text)}</B></A>`, "B"), text);
  }));
});

Deno.test("parseShelfLocation() takes buckets with and without prefix, and no key that leads elsewhere", () => {
  assertEquals(parseShelfLocation("s3://dumps"), { bucket: "dumps", prefix: "" });
  assertEquals(parseShelfLocation("s3://dumps/"), { bucket: "dumps", prefix: "" });
  assertEquals(parseShelfLocation("s3://dumps/a/b"), { bucket: "dumps", prefix: "a/b/" });
  assertEquals(parseShelfLocation("s3://dumps/a/b/"), { bucket: "dumps", prefix: "a/b/" });
  for (const text of ["dumps", "s3://", "s3://D/x", "s3://dumps/../x", "s3://dumps//x", "s3://dumps/a\n"]) {
    assertThrows(() => parseShelfLocation(text), SyntaxError);
  }
});

Deno.test("keys of dumps that began later sort later, day by day", () => {
  const name = {
    host: "w1",
    number: 3,
    startedMs: Date.UTC(2026, 10, 26, 23, 59, 1),
    id: "0123456789abcdef",
  };
  assertEquals(dumpPrefix("p/", name), "p/dumps/w1/20261126T235901Z-3-0123456789abcdef/");
  assertEquals(
    catalogueKey("p/", name),
    `${dayPrefix("p/", name.startedMs)}20261126T235901Z-w1-0123456789abcdef.json`,
  );
  assertEquals(catalogueKeyOf(`${dumpPrefix("p/", name)}vmcore.w1.3.zst`), catalogueKey("p/", name));
  assertEquals(catalogueKeyOf(`${dumpPrefix("", name)}kdh.w1.3`), catalogueKey("", name));
  for (
    const key of ["", "dumps/w1/vmcore.w1.3", `x${dumpPrefix("", name)}kdh.w1.3`, catalogueKey("", name)]
  ) {
    assertEquals(catalogueKeyOf(key), undefined);
  }
  const second = fc.integer({ min: 0, max: 4_000_000_000 });
  fc.assert(fc.property(second, second, (a, b) => {
    fc.pre(a < b);
    const [early, late] = [a, b].map((s) => catalogueKey("", { ...name, startedMs: s * 1000 }));
    assert(early! < late!);
  }));
});

Deno.test("no error about credentials holds what is secret", () => {
  const file = "[default]\n# c\naws_access_key_id = k\nAWS_SECRET_ACCESS_KEY=s=1\n";
  assertEquals(parseCredentials(file), { AWS_ACCESS_KEY_ID: "k", AWS_SECRET_ACCESS_KEY: "s=1" });
  const wrong = [
    () => parseCredentials("aws_secret_key = hidden"),
    () => parseCredentials("hidden"),
    () => credentialsOf({ AWS_ACCESS_KEY_ID: "hidden" }),
    () => credentialsOf({ AWS_ACCESS_KEY_ID: "k", AWS_SECRET_ACCESS_KEY: "hidden\n" }),
    () => parseEndpoint("https://user:hidden@s3.example.org"),
  ];
  for (const make of wrong) assert(!assertThrows(make, SyntaxError).message.includes("hidden"));
});

Deno.test("Pacer keeps to its rate while dumps arrive, and to none otherwise", async () => {
  let nowMs = 0;
  const pacer = new Pacer(1000, () => nowMs, (ms) => {
    nowMs += ms;
    return Promise.resolve();
  });
  for (let i = 0; i < 5; i++) await pacer.wait(2000);
  assertEquals(nowMs, 0);
  pacer.busy = 1;
  for (let i = 0; i < 5; i++) await pacer.wait(2000);
  assertEquals(nowMs, 8000);
  pacer.busy = 0;
  await pacer.wait(2000);
  assertEquals(nowMs, 8000);
});
