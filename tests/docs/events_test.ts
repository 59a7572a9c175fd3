import { assertEquals } from "@std/assert";
import { EVENT_MEANINGS, type EventName } from "../../lib/serve/events.ts";

const path = new URL("../../docs/events.md", import.meta.url);
const source = new URL("../../lib/serve/events.ts", import.meta.url);

/** The facts of each event, as the union has them. */
async function factsOf(): Promise<Map<string, string[]>> {
  const text = (await Deno.readTextFile(source)).replace(/\/\*\*.*?\*\//gs, "");
  const union = /export type ServerEvent =\n(.*?);\n\n/s.exec(text)?.[1] ?? "";
  const facts = new Map<string, string[]>();
  for (const member of union.split(/^ {2}\| /m)) {
    const [, name] = /readonly event: "([a-z-]+)"/.exec(member) ?? [];
    if (name === undefined) continue;
    const own = [...member.matchAll(/readonly (\w+):/g)].map(([, fact]) => fact!).filter((fact) =>
      fact !== "event"
    );
    const finished = member.includes("& FinishedDump")
      ? ["dump", "outcome", "complete", "reason", "missing", "resumable"]
      : [];
    facts.set(name, [...own, ...finished]);
  }
  return facts;
}

/** docs/events.md, made from the type and the meanings. */
async function makePage(): Promise<string> {
  const facts = await factsOf();
  const names = Object.keys(EVENT_MEANINGS) as EventName[];
  assertEquals([...facts.keys()].sort(), [...names].sort(), "the union and the table have the same events");
  const rows = names.map((name) => {
    const list = facts.get(name)!.map((fact) => `\`${fact}\``).join(", ");
    return `| \`${name}\` | ${EVENT_MEANINGS[name]} | ${list} |`;
  });
  return `# Events of \`netdump serve\`

With \`--log-format json\` each line of the log is one event: \`time\` (ISO 8601, UTC), \`level\` (\`debug\`, \`info\`, \`warning\`,
\`error\`), \`event\`, \`message\` (the words of the text log), and the facts of the event. Strings from the network are unfiltered there, and
nothing in a line drives a terminal. \`dump\` holds all that is known of a dump: \`id\`, \`client\`, \`local\`, \`port\`, \`host\`, \`hostName\`,
\`index\`, \`directory\`, \`info\`, \`core\`, \`header\`, \`key\`, \`kernelDumpHeader\`, \`encrypted\`, \`receivedBytes\`, \`messages\`, \`resends\`,
\`savedPackets\`, \`durationMs\`.

| event | meaning | facts |
| --- | --- | --- |
${rows.join("\n")}
`;
}

Deno.test("docs/events.md lists every event that a server tells, with its facts", async () => {
  const page = await makePage();
  if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(path, page);
  assertEquals(await Deno.readTextFile(path), page);
});
