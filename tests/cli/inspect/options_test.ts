import { assertEquals, assertThrows } from "@std/assert";
import { checkDirectoryOptions, checkInspectOptions } from "../../../lib/cli/inspect/options.ts";
import { inspectCommand } from "../../../lib/cli/options.ts";
import { parseCommand, UsageError } from "../../../lib/cli/parse.ts";

function check(...args: string[]): void {
  const parsed = parseCommand(inspectCommand, args);
  if (typeof parsed === "string") throw new Error("help");
  checkInspectOptions(parsed.options, parsed.operands);
}

for (
  const [args, message] of [
    [["--virtual=0x", "a"], 'expected an address, such as 0xffffffff81000000 or 4096, found "0x"'],
    [["--virtual=ffff", "a"], 'found "ffff"'],
    [["--physical=0x10000000000000000", "a"], 'found "0x10000000000000000"'],
    [["--physical=18446744073709551616", "a"], 'found "18446744073709551616"'],
    [["--virtual=0x10", "--physical=0x10", "a"], "Options --physical and --virtual exclude each other"],
    [["--virtual=0x10", "--output=o", "a"], "Options --virtual and --output exclude each other"],
    [["--virtual=0x10", "--json", "a"], "Options --virtual and --json exclude each other"],
    [["--output=o", "--dmesg", "a"], "Options --output and --dmesg exclude each other"],
    [["--output=o", "--verify", "a"], "Options --output and --verify exclude each other"],
    [["--output=o", "a", "b"], "Option --output takes one FILE"],
    [["--physical=1", "a", "b"], "Option --physical takes one FILE"],
    [["--raw", "a"], "Option --raw needs --physical or --virtual"],
    [["--length=4k", "a"], "Option --length needs --physical or --virtual"],
    [["--physical=1", "--length=0", "a"], "Option --length: expected a size of at least one byte"],
    [["--priorities", "a"], "Option --priorities needs --dmesg"],
    [["--dmesg", "--threads", "a"], "Option --threads has no use with --dmesg, unless with --json"],
    [["--virtual=1", "--modules=m", "a"], "Options --virtual and --modules exclude each other"],
    [["--physical=1", "--kernel=k", "a"], "Options --physical and --kernel exclude each other"],
    [["--output=o", "--variable=hz", "a"], "Options --output and --variable exclude each other"],
    [["--core-txt", "--json", "a"], "Options --core-txt and --json exclude each other"],
    [["--core-txt", "--dmesg", "a"], "Options --core-txt and --dmesg exclude each other"],
    [["--core-txt", "--member=ddb.txt", "a"], "Options --member and --core-txt exclude each other"],
    [["--core-txt", "--threads", "a"], "Options --core-txt and --threads exclude each other"],
    [["--core-txt", "a", "b"], "Option --core-txt takes one FILE"],
    [["--passphrase-file=p", "a"], "Option --passphrase-file needs --private-key"],
  ] as [string[], string][]
) {
  Deno.test(`inspect refuses "${args.join(" ")}"`, () => {
    assertThrows(() => check(...args), UsageError, message);
  });
}

for (
  const args of [
    ["--output=o"],
    ["--physical=1"],
    ["--virtual=1", "--raw"],
    ["--dmesg"],
    ["--private-key=k"],
    ["--core-txt"],
    ["--threads"],
    ["--variable=hz"],
  ]
) {
  Deno.test(`inspect refuses "${args.join(" ")}" for a directory, before it does anything`, () => {
    const parsed = parseCommand(inspectCommand, [...args, "dir"]);
    if (typeof parsed === "string") throw new Error("help");
    const option = args[0]!.replace(/=.*/, "");
    assertThrows(
      () => checkDirectoryOptions(parsed.options, "dir"),
      UsageError,
      `Option ${option} takes a dump, and "dir" is a directory`,
    );
  });
}

Deno.test("inspect takes every combination that makes sense", () => {
  check("--json", "--dmesg", "--priorities", "--verify", "a", "b");
  check("--json", "--dmesg", "--threads", "--kernel=k", "--variable=hz", "a", "b");
  check(
    "--virtual=0xffffffffffffffff",
    "--length=4k",
    "--raw",
    "--private-key=k",
    "--passphrase-file=p",
    "a",
  );
  check("--physical=4096", "a");
  check("--core-txt", "--kernel=k", "--modules=m", "--spool=s", "--private-key=k", "a");
  check("--private-key=k", "--output=o", "a");
  assertEquals(parseCommand(inspectCommand, ["--virtual=0XFF", "a"]) !== "help", true);
});
