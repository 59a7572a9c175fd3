import { assert, assertEquals } from "@std/assert";
import { byAddress, findInHosts, HostNames, type Lookup } from "../../lib/serve/hostname.ts";

/** A resolver whose answers the test gives. */
function resolver(): { lookup: Lookup; asked: string[]; answer: (name: string | undefined) => void } {
  const asked: string[] = [];
  const waiting: ((name: string | undefined) => void)[] = [];
  return {
    asked,
    lookup: (address) => {
      asked.push(address);
      return new Promise((resolve) => waiting.push(resolve));
    },
    answer: (name) => {
      for (const resolve of waiting.splice(0)) resolve(name);
    },
  };
}

Deno.test("HostNames asks once for an address that many ask for, and remembers the answer", async () => {
  const { lookup, asked, answer } = resolver();
  const names = new HostNames(lookup);
  const first = [names.name("192.0.2.7"), names.name("192.0.2.7")];
  answer("w1.example.org");
  const expected = { label: "w1", hostName: "w1.example.org" };
  assertEquals(await Promise.all(first), [expected, expected]);
  assertEquals(await names.name("192.0.2.7"), expected);
  assertEquals(asked, ["192.0.2.7"]);
});

Deno.test("HostNames takes the address when the answer is late, and the answer from then on", async () => {
  const { lookup, answer } = resolver();
  const names = new HostNames(lookup);
  // Timers keep their order, however busy the machine is.
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => timer = setTimeout(() => resolve("late"), 1000));
  assertEquals(await Promise.race([names.name("192.0.2.7"), late]), byAddress("192.0.2.7"));
  clearTimeout(timer);
  answer("w1.example.org");
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals((await names.name("192.0.2.7")).label, "w1");
});

Deno.test("HostNames takes the address when there is no name, the resolver fails, or answers with the address", async () => {
  for (
    const lookup of [
      () => Promise.resolve(undefined),
      () => Promise.reject(new Error("SERVFAIL")),
      (a: string) => Promise.resolve(a),
    ]
  ) {
    assertEquals(await new HostNames(lookup).name("192.0.2.7"), byAddress("192.0.2.7"));
  }
});

Deno.test("HostNames has a bounded number of lookups under way: those beyond it are named by address at once", async () => {
  const { lookup, asked } = resolver();
  const names = new HostNames(lookup);
  const slow = Array.from({ length: 64 }, (_, i) => names.name(`192.0.2.${i}`));
  const other = names.name("198.51.100.1");
  assertEquals(await Promise.race([...slow, other]), byAddress("198.51.100.1"));
  assertEquals(asked.length, 64);
  assert((await Promise.all(slow)).every(({ hostName }) => hostName === null));
});

Deno.test("findInHosts() finds the first name of an address, past comments and white space", () => {
  const text =
    "127.0.0.1 localhost\n# 192.0.2.7 commented\n  192.0.2.7\tw1.example.org w1 # rack 3\n192.0.2.7 second\n";
  assertEquals(findInHosts(text, "192.0.2.7"), "w1.example.org");
  assertEquals(findInHosts(text, "192.0.2.70"), undefined);
  assertEquals(findInHosts("192.0.2.7", "192.0.2.7"), undefined);
});
