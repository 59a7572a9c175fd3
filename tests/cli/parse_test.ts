import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Command } from "../../lib/cli/option.ts";
import {
  commands,
  completionsCommand,
  helpCommand,
  inspectCommand,
  sendCommand,
  serveCommand,
} from "../../lib/cli/options.ts";
import { type Invocation, parseCommand, takesValue, UsageError } from "../../lib/cli/parse.ts";

/** Parses words that ask for neither help nor version. */
function parse<C extends Command>(command: C, ...args: string[]): Invocation<C> {
  const invocation = parseCommand(command, args);
  assert(invocation !== "help" && invocation !== "version");
  return invocation;
}

function refuses(command: Command, args: string[], message: string): void {
  const error = assertThrows(() => parseCommand(command, args), UsageError);
  assertEquals(error.message, message);
}

Deno.test("parseCommand() fills in the defaults of the table", () => {
  const { options } = parse(serveCommand);
  assertEquals(options.dir, "/var/crash");
  assertEquals([options.port, options["ack-port"]], [20023, 20024]);
  assertEquals([options.timeout, options.linger], [600_000, 60_000]);
  assertEquals(options["min-free"], { percent: 5 });
  assertEquals([options["max-sessions"], options["max-sessions-per-client"]], [256, 4]);
  assertEquals([options.bind, options.allow], [[], []]);
  assertEquals([options.exec, options.pidfile, options.keep, options.workers], [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals([options.debug, options["no-dns"], options.quiet], [false, false, false]);
  assertEquals(options["log-format"], "text");
});

Deno.test("parseCommand() takes every default of every command for a good value", () => {
  for (const command of commands) {
    for (const [name, option] of Object.entries(command.options)) {
      if (!takesValue(option) || option.default === undefined) continue;
      option.value.parse(option.default);
      assert(!option.required, `--${name} is required, its default is of no use`);
      assert(option.defaultInWords === undefined, `--${name} has two defaults`);
    }
  }
});

const SAME_DIR: string[][] = [
  ["--dir", "/dumps"],
  ["--dir=/dumps"],
  ["-d", "/dumps"],
  ["-d/dumps"],
  ["-d=/dumps"],
];

for (const words of SAME_DIR) {
  Deno.test(`parseCommand() reads a directory from ${words.join(" ")}`, () => {
    assertEquals(parse(serveCommand, ...words).options.dir, "/dumps");
  });
  const bundled = words[0]?.startsWith("--") ? undefined : ["-D" + words[0]?.slice(1), ...words.slice(1)];
  if (bundled === undefined) continue;
  Deno.test(`parseCommand() reads a flag and a directory from ${bundled.join(" ")}`, () => {
    const { options } = parse(serveCommand, ...bundled);
    assertEquals([options.debug, options.dir], [true, "/dumps"]);
  });
}

Deno.test("parseCommand() takes netdumpd's options as netdumpd does", () => {
  const words = [
    "-D",
    "-a",
    "192.0.2.10",
    "-d",
    "/dumps",
    "-i",
    "/root/on dump",
    "-P",
    "/run/n.pid",
    "-p",
    "lab",
  ];
  const { options } = parse(serveCommand, ...words);
  assertEquals(options.debug, true);
  assertEquals(options.bind, ["192.0.2.10"]);
  assertEquals([options.dir, options.exec, options.pidfile], ["/dumps", "/root/on dump", "/run/n.pid"]);
  assertEquals(options.path, "lab");
});

Deno.test("parseCommand() takes a value that begins with letters of other options", () => {
  assertEquals(parse(serveCommand, "-dDaPq").options.dir, "DaPq");
  assertEquals(parse(serveCommand, "-a192.0.2.1").options.bind, ["192.0.2.1"]);
});

Deno.test("parseCommand() keeps what follows the first = of a value", () => {
  assertEquals(parse(sendCommand, "-s", "h", "--panic=a=b", "x").options.panic, "a=b");
  assertEquals(parse(serveCommand, "-d==x").options.dir, "=x");
});

Deno.test("parseCommand() collects a repeatable option in order", () => {
  const { options } = parse(
    serveCommand,
    "-a",
    "127.0.0.2",
    "--allow",
    "10.0.0.0/8",
    "--bind=127.0.0.1",
    "--allow=1.1.1.1",
  );
  assertEquals(options.bind, ["127.0.0.2", "127.0.0.1"]);
  assertEquals(options.allow.map(({ text }) => text), ["10.0.0.0/8", "1.1.1.1/32"]);
});

Deno.test("parseCommand() does not mind a flag given twice", () => {
  assertEquals(parse(serveCommand, "-DD", "--debug").options.debug, true);
});

Deno.test("parseCommand() leaves the file true to inspect, not to the flag before it", () => {
  const { options, operands } = parse(inspectCommand, "--json", "true", "--dmesg", "false");
  assertEquals([options.json, options.dmesg], [true, true]);
  assertEquals(operands, ["true", "false"]);
});

Deno.test("parseCommand() keeps operands as they are: numbers, spaces, a lone hyphen, nothing", () => {
  const files = ["007", "1e3", "0x10", "NaN", " a b ", "-", "", "a=b"];
  assertEquals(parse(inspectCommand, ...files).operands, files);
});

Deno.test("parseCommand() takes options after operands", () => {
  const { options, operands } = parse(inspectCommand, "a", "--json", "b");
  assertEquals([options.json, operands], [true, ["a", "b"]]);
});

Deno.test("parseCommand() takes everything after -- for operands, a file named like an option too", () => {
  const { options, operands } = parse(
    inspectCommand,
    "--json",
    "--",
    "--dmesg",
    "-h",
    "--help",
    "--version",
    "--",
  );
  assertEquals([options.json, options.dmesg], [true, false]);
  assertEquals(operands, ["--dmesg", "-h", "--help", "--version", "--"]);
});

Deno.test("parseCommand() takes values that look like names of object properties", () => {
  assertEquals(parse(serveCommand, "--dir", "__proto__").options.dir, "__proto__");
  assertEquals(parse(serveCommand, "--dir=constructor").options.dir, "constructor");
});

const USAGE_ERRORS: [command: Command, args: string[], message: string][] = [
  [serveCommand, ["--dri", "x"], 'Unknown option "--dri"'],
  [serveCommand, ["--dri=x"], 'Unknown option "--dri"'],
  [serveCommand, ["--Dir", "x"], 'Unknown option "--Dir"'],
  [serveCommand, ["--di", "x"], 'Unknown option "--di"'],
  [serveCommand, ["--dns"], 'Unknown option "--dns"'],
  [serveCommand, ["--no-debug"], 'Unknown option "--no-debug"'],
  [serveCommand, ["--=x"], 'Unknown option "--"'],
  [serveCommand, ["---debug"], 'Unknown option "---debug"'],
  [serveCommand, ["--__proto__=1"], 'Unknown option "--__proto__"'],
  [serveCommand, ["--toString"], 'Unknown option "--toString"'],
  [serveCommand, ["--dir.x", "y"], 'Unknown option "--dir.x"'],
  [serveCommand, ["--_", "1"], 'Unknown option "--_"'],
  [serveCommand, ["--\x1b[2J"], 'Unknown option "--\\x1b[2J"'],
  [serveCommand, ["-x"], 'Unknown option "-x"'],
  [serveCommand, ["-x=3"], 'Unknown option "-x" in "-x=3"'],
  [serveCommand, ["-n5"], 'Unknown option "-n" in "-n5"'],
  [serveCommand, ["-Dx"], 'Unknown option "-x" in "-Dx"'],
  [serveCommand, ["-D5"], 'Unknown option "-5" in "-D5"'],
  [serveCommand, ["-D/x"], 'Unknown option "-/" in "-D/x"'],
  [serveCommand, ["-é"], 'Unknown option "-é"'],
  [serveCommand, ["-😀"], 'Unknown option "-😀"'],
  [inspectCommand, ["-5"], 'Unknown option "-5"'],
  [inspectCommand, ["-s", "h", "x"], 'Unknown option "-s"'],
  [serveCommand, ["-d"], "Option --dir needs a value: DIR"],
  [serveCommand, ["-Dd"], "Option --dir needs a value: DIR"],
  [serveCommand, ["--dir"], "Option --dir needs a value: DIR"],
  [serveCommand, ["--dir="], "Option --dir needs a value: DIR"],
  [serveCommand, ["-d="], "Option --dir needs a value: DIR"],
  [serveCommand, ["--dir", ""], "Option --dir needs a value: DIR"],
  [serveCommand, ["-d", "-D"], "Option --dir needs a value: DIR"],
  [serveCommand, ["--dir", "--debug"], "Option --dir needs a value: DIR"],
  [serveCommand, ["--dir", "--", "x"], "Option --dir needs a value: DIR"],
  [serveCommand, ["--port", "--port", "1"], "Option --port needs a value: PORT"],
  [serveCommand, ["--debug=1"], 'Option --debug takes no value, found "1"'],
  [serveCommand, ["--debug="], 'Option --debug takes no value, found ""'],
  [serveCommand, ["--no-dns=false"], 'Option --no-dns takes no value, found "false"'],
  [serveCommand, ["-D=1"], 'Option --debug takes no value, found "1"'],
  [serveCommand, ["--help=1"], 'Option --help takes no value, found "1"'],
  [serveCommand, ["--dir", "a", "-d", "b"], "Option --dir is given more than once"],
  [serveCommand, ["--port=1", "--port=1"], "Option --port is given more than once"],
  [serveCommand, ["--port", "0"], 'Option --port: expected a whole number from 1 to 65535, found "0"'],
  [serveCommand, ["--port", "-5"], 'Option --port: expected a whole number from 1 to 65535, found "-5"'],
  [serveCommand, ["--port", "NaN"], 'Option --port: expected a whole number from 1 to 65535, found "NaN"'],
  [serveCommand, ["--port", "1e3"], 'Option --port: expected a whole number from 1 to 65535, found "1e3"'],
  [
    serveCommand,
    ["--port", "9".repeat(300)],
    `Option --port: expected a whole number from 1 to 65535, found "${"9".repeat(200)}…"`,
  ],
  [
    serveCommand,
    ["-a", "127.0.0.1", "-a", "lo0"],
    'Option --bind: expected a local IPv4 address, such as 192.0.2.10 (no multicast or broadcast), or 0.0.0.0 for every local address, found "lo0"',
  ],
  [
    serveCommand,
    ["-a", "224.0.0.1"],
    'Option --bind: expected a local IPv4 address, such as 192.0.2.10 (no multicast or broadcast), or 0.0.0.0 for every local address, found "224.0.0.1"',
  ],
  [
    serveCommand,
    ["-a", "255.255.255.255"],
    'Option --bind: expected a local IPv4 address, such as 192.0.2.10 (no multicast or broadcast), or 0.0.0.0 for every local address, found "255.255.255.255"',
  ],
  [serveCommand, ["--log-format", "xml"], 'Option --log-format: expected one of text, json, found "xml"'],
  [
    serveCommand,
    ["-p", "../up"],
    'Option --path: expected a relative path without ".." (this one: contains ".."), found "../up"',
  ],
  [serveCommand, ["vmcore"], 'Unexpected argument "vmcore"'],
  [serveCommand, ["-"], 'Unexpected argument "-"'],
  [serveCommand, ["--", "-D"], 'Unexpected argument "-D"'],
  [sendCommand, ["-s", "h", "a", "b\x07"], 'Unexpected argument "b\\x07"'],
  [sendCommand, ["vmcore"], "Option --server HOST[:PORT] is required"],
  [inspectCommand, [], "Missing FILE"],
  [completionsCommand, [], "Missing bash|zsh|fish"],
  [completionsCommand, ["bash", "zsh"], 'Unexpected argument "zsh"'],
  [helpCommand, ["serve", "send"], 'Unexpected argument "send"'],
];

for (const [command, args, message] of USAGE_ERRORS) {
  const shown = args.map((arg) => JSON.stringify(arg.slice(0, 24)).slice(1, -1)).join(" ");
  Deno.test(`parseCommand() refuses "${command.name} ${shown}"`, () => refuses(command, args, message));
}

Deno.test("parseCommand() refuses each option of each command without its value, and each flag with one", () => {
  for (const command of commands) {
    for (const [name, option] of Object.entries(command.options)) {
      if (takesValue(option)) {
        const message = `Option --${name} needs a value: ${option.value.placeholder}`;
        refuses(command, [`--${name}`], message);
        if (option.short !== undefined) refuses(command, [`-${option.short}`], message);
      } else {
        refuses(command, [`--${name}=x`], `Option --${name} takes no value, found "x"`);
      }
    }
  }
});

Deno.test("parseCommand() refuses each option that is not repeatable when it is given twice", () => {
  const sample: Record<string, string> = {
    ADDR: "1.2.3.4",
    ADDRESS: "0x1000",
    "ADDR:PORT": "127.0.0.1:9123",
    PORT: "1",
    N: "128",
    SIZE: "1M",
    "SIZE|%": "1%",
    DURATION: "1s",
    URL: "https://h",
    "s3://BUCKET[/PREFIX]": "s3://dumps",
  };
  for (const command of commands) {
    for (const [name, option] of Object.entries(command.options)) {
      if (!takesValue(option) || option.repeatable) continue;
      const { placeholder, completion } = option.value;
      const value = typeof completion === "string" ? sample[placeholder] ?? "x" : completion[0];
      const server = command === sendCommand && name !== "server" ? ["--server=h"] : [];
      const args = [...server, `--${name}=${value}`, `--${name}=${value}`];
      refuses(command, args, `Option --${name} is given more than once`);
    }
  }
});

for (const word of ["--help", "-h", "-Dh"]) {
  Deno.test(`parseCommand() answers ${word} before it looks at anything else`, () => {
    assertEquals(parseCommand(serveCommand, [word]), "help");
    assertEquals(parseCommand(serveCommand, ["-a", "127.0.0.1", word]), "help");
  });
}

Deno.test("parseCommand() answers --help among mistakes, and where a value is due", () => {
  for (
    const words of [["--port", "x", "--nope", "-h"], ["--dir", "--help"], ["surplus", "--help", "--", "-x"]]
  ) {
    assertEquals(parseCommand(serveCommand, words), "help");
  }
  assertEquals(parseCommand(sendCommand, ["--help"]), "help");
});

Deno.test("parseCommand() does not take --help in a value or after -- for a question", () => {
  assertEquals(parse(sendCommand, "-s", "h", "--panic=--help", "x").options.panic, "--help");
  assertEquals(parse(inspectCommand, "--", "-h").operands, ["-h"]);
});

Deno.test("parseCommand() answers --version, and --help before it", () => {
  for (const words of [["--version"], ["-V"], ["-DV"], ["--port", "--version"]]) {
    assertEquals(parseCommand(serveCommand, words), "version");
  }
  assertEquals(parseCommand(serveCommand, ["--version", "--help"]), "help");
});

Deno.test("parseCommand() throws nothing but UsageError, whatever the words", () => {
  const names = Object.keys(serveCommand.options).flatMap((
    name,
  ) => [`--${name}`, `--${name}=`, `--${name}=1`]);
  const word = fc.oneof(
    fc.constantFrom("-", "--", "-d", "-D", "-dx", "-d=", "1", "", "true", "127.0.0.1", ...names),
    fc.string({ unit: "binary" }),
    fc.string().map((text) => `-${text}`),
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 8 }), (words) => {
    for (const command of commands) {
      try {
        parseCommand(command, words);
      } catch (error) {
        assert(error instanceof UsageError, String(error));
        assert(!/[\p{Cc}]/u.test(error.message), "one line, nothing raw");
      }
    }
  }));
});
