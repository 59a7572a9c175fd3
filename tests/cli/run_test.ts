import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { commandHelp, programHelp } from "../../lib/cli/help.ts";
import { helpCommand, inspectCommand, sendCommand, serveCommand } from "../../lib/cli/options.ts";
import { VERSION } from "../../lib/version.ts";

// Without any permission, that to open the system's library included.
const VERSION_LINE = `netdump ${VERSION} (Deno ${Deno.version.deno}, native datagrams: no)\n`;
import { netdump } from "./netdump_process.ts";

const ANSWERS: [args: string[], stdout: string][] = [
  [["--help"], programHelp()],
  [["-h"], programHelp()],
  [["help"], programHelp()],
  [["help", "serve"], commandHelp(serveCommand)],
  [["help", "help"], commandHelp(helpCommand)],
  [["serve", "--help"], commandHelp(serveCommand)],
  [["send", "--server", "--nope", "--help", "x", "y"], commandHelp(sendCommand)],
  [["inspect", "-h"], commandHelp(inspectCommand)],
  [["help", "--help"], commandHelp(helpCommand)],
  [["--version"], VERSION_LINE],
  [["-V"], VERSION_LINE],
  [["serve", "--version"], VERSION_LINE],
  [["inspect", "-V"], VERSION_LINE],
];

for (const [args, stdout] of ANSWERS) {
  Deno.test(`netdump ${args.join(" ")} answers on stdout, needs no permission and exits 0`, async () => {
    assertEquals(await netdump(args), { status: 0, stdout, stderr: "" });
  });
}

const MISTAKES: [args: string[], stderr: string][] = [
  [
    [],
    'netdump: Missing command: expected one of serve, send, inspect, completions, help. Try "netdump --help"',
  ],
  [
    ["sevre"],
    'netdump: Unknown command "sevre": expected one of serve, send, inspect, completions, help. Try "netdump --help"',
  ],
  [
    [""],
    'netdump: Unknown command "": expected one of serve, send, inspect, completions, help. Try "netdump --help"',
  ],
  [["-D", "serve"], 'netdump: Unknown option "-D" before the command. Try "netdump --help"'],
  [["--", "serve"], 'netdump: Unknown option "--" before the command. Try "netdump --help"'],
  [["serve", "--dri"], 'netdump serve: Unknown option "--dri". Try "netdump serve --help"'],
  [
    ["serve", "\x1b]0;x\x07"],
    'netdump serve: Unexpected argument "\\x1b]0;x\\x07". Try "netdump serve --help"',
  ],
  [
    ["serve", "--port", "http"],
    'netdump serve: Option --port: expected a whole number from 1 to 65535, found "http". Try "netdump serve --help"',
  ],
  [["send", "vmcore"], 'netdump send: Option --server HOST[:PORT] is required. Try "netdump send --help"'],
  [["inspect"], 'netdump inspect: Missing FILE. Try "netdump inspect --help"'],
  [
    ["help", "nope"],
    'netdump help: Unknown command "nope": expected one of serve, send, inspect, completions, help. Try "netdump help --help"',
  ],
  [["completions"], 'netdump completions: Missing bash|zsh|fish. Try "netdump completions --help"'],
  [
    ["completions", "tcsh"],
    'netdump completions: Unknown shell "tcsh": expected one of bash, zsh, fish. Try "netdump completions --help"',
  ],
];

for (const [args, stderr] of MISTAKES) {
  const shown = args.map((arg) => JSON.stringify(arg)).join(" ");
  Deno.test(`netdump ${shown} says what is wrong in one line on stderr and exits 2`, async () => {
    assertEquals(await netdump(args), { status: 2, stdout: "", stderr: stderr + "\n" });
  });
}

Deno.test("netdump --help ends quietly when its reader goes away", async () => {
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      `i=0; while [ $i -lt 3 ]; do "$0" run --no-prompt -q "$1" serve --help; echo "status $?" >&2; i=$((i+1)); done | head -c 1`,
    ]
      .concat([Deno.execPath(), new URL("../../main.ts", import.meta.url).pathname]),
    stdout: "piped",
    stderr: "piped",
  });
  const { stderr } = await child.output();
  assertMatch(new TextDecoder().decode(stderr), /^(status 0\n){3}$/);
});

Deno.test("netdump without permissions says so in one line, without a stack trace", async () => {
  const { status, stderr } = await netdump(["inspect", "/nonexistent/vmcore"]);
  assertEquals(status, 1);
  assertStringIncludes(stderr, "netdump");
  assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
});
