/** What docs/operate.md has to be copied and run. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Metrics } from "../../lib/serve/observers/metrics.ts";
import { output, portFile, ROOT, skippable } from "../packaging/packaging.ts";
import { parseExposition } from "../serve/observers/exposition_parser.ts";
import { TempDir } from "../temp_dir.ts";
import { isInstalled } from "../programs.ts";

const OPERATE = await Deno.readTextFile(join(ROOT, "docs/operate.md"));

/** The blocks of a language. */
function blocks(language: string): string[] {
  return Array.from(
    OPERATE.matchAll(new RegExp("^```" + language + "\\n(.*?)^```", "gms")),
    ([, text]) => text!,
  );
}

const sh = Deno.build.os === "windows" ? "there is no sh" : undefined;
const [rules = ""] = blocks("yaml");

skippable("every shell block of docs/operate.md is one", sh, async () => {
  for (const text of [...blocks("sh"), ...blocks("shell")]) {
    // Synopses with optional parts are no commands.
    if (!text.startsWith("dumpon")) await output("sh", ["-n", "-c", text.replaceAll("<(", "(")]);
  }
});

skippable("the documented installation on FreeBSD makes the port's files", sh, async () => {
  using temp = new TempDir("disk");
  const [loop = ""] = /^for pair .*?^done$/ms.exec(OPERATE) ?? [];
  for (const directory of ["bin", "etc/rc.d"]) {
    Deno.mkdirSync(join(temp.path, directory), { recursive: true });
  }
  await output("sh", ["-c", loop.replaceAll("/usr/local", temp.path)], { cwd: ROOT });
  for (
    const [made, file] of [["bin/netdump", "netdump.sh.in"], ["etc/rc.d/netdump", "netdump.in"]] as const
  ) {
    const path = join(temp.path, made);
    assertEquals(Deno.readTextFileSync(path), portFile(file, temp.path));
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o555);
  }
});

Deno.test("every file that docs/operate.md installs is there", () => {
  for (const [path] of OPERATE.matchAll(/\bdocs\/packaging\/[\w./-]*\w/g)) Deno.statSync(join(ROOT, path));
});

Deno.test("every metric of the documented alerts is there, with the label it is asked for by", () => {
  const metrics = new Metrics({ version: "1", deno: "2", startedS: 0 });
  const view = {
    sessions: { heralded: 0, data: 0, finished: 0 },
    ...{
      mostSessions: 1,
      receivers: 1,
      addresses: [],
      port: 1,
      directory: "/",
      room: null,
      descriptors: null,
    },
  };
  const families = parseExposition(metrics.expose({ view, weaknesses: [] }));
  const named = [...rules.matchAll(/\b(netdump_\w+)(?:\{(\w+)!?="([\w-]+)"\})?/g)];
  assert(named.length >= 4, rules);
  for (const [, name = "", label, value] of named) {
    const family = families.get(name);
    assert(family !== undefined, name);
    if (label !== undefined) {
      assertStringIncludes([...family.samples.keys()].join("\n"), `${name}{${label}="${value}"}`);
    }
  }
});

/** Series of a server by the minute, and the alerts that they raise in its tenth. */
const SCENES: readonly (readonly [series: string, alert: string])[] = [
  ["netdump_ready 1 1 1 1 1 0x10", "NetdumpWouldRefuseADump"],
  ["other 1x15", "NetdumpWouldRefuseADump"],
  ['netdump_dumps_total{outcome="complete"} 0 0 0 0 0 1x10', "KernelPanicked"],
  ['netdump_dumps_total{outcome="timeout"} 3 3 3 3 3 4x10', "KernelPanicked"],
  ['netdump_dumps_total{outcome="empty"} 3 3 3 3 3 4x10', ""],
  ['netdump_heralds_refused_total{reason="client-port"} 0 0 0 0 0 7x10', "NetdumpRefusesClients"],
  ['netdump_heralds_refused_total{reason="not-allowed"} 0 0 0 0 0 7x10', ""],
  ['netdump_webhooks_total{result="failed"} 0 0 0 0 0 1x10', "NetdumpTellsNobody"],
  ['netdump_hooks_total{result="timeout"} 0 0 0 0 0 1x10', "NetdumpTellsNobody"],
  ['netdump_hooks_total{result="success"} 0 0 0 0 0 1x10', ""],
];

/** A scene as promtool plays it: whatever else is not said to fire does not. */
function playOf([series, alert]: (typeof SCENES)[number]): string {
  const split = series.indexOf(" ");
  const [name, values] = [series.slice(0, split), series.slice(split + 1)];
  const ready = /^(?:netdump_ready|other)$/.test(name) ? "" : `
      - series: netdump_ready
        values: 1x15`;
  const labels = /\{(\w+)="([\w-]+)"\}/.exec(name);
  const fires = (known: string) =>
    known !== alert ? " []" : `
          - exp_labels: ${labels === null ? "{}" : `{${labels[1]}: ${labels[2]}}`}`;
  return `
  - interval: 1m
    input_series:
      - series: '${name}'
        values: ${values}${ready}
    alert_rule_test:${
    [...rules.matchAll(/alert: (\w+)/g)].map(([, known]) => `
      - eval_time: 10m
        alertname: ${known}
        exp_alerts:${fires(known!)}`).join("")
  }`;
}

skippable(
  "promtool finds nothing wrong with the documented alerts, and each fires when it is to",
  isInstalled("promtool") ? undefined : "promtool is not installed",
  async () => {
    using temp = new TempDir("disk");
    const path = join(temp.path, "rules.yml");
    Deno.writeTextFileSync(path, rules);
    await output("promtool", ["check", "rules", path]);
    const play = join(temp.path, "play.yml");
    Deno.writeTextFileSync(play, `rule_files: [rules.yml]\ntests:${SCENES.map(playOf).join("")}\n`);
    await output("promtool", ["test", "rules", play]);
  },
);
