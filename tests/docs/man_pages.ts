/** The manual pages, made from the option table: mdoc(7). */
import type { Command, Option } from "../../lib/cli/option.ts";
import { commands, globalOptions } from "../../lib/cli/options.ts";
import { takesValue } from "../../lib/cli/parse.ts";

/** A page: its file below docs/man, and its text. */
export interface ManPage {
  readonly file: string;
  readonly text: string;
}

/** The day of the pages; they change with the program. */
const DATE = "November 27, 2026";

/** What a command is about, in a paragraph; the rest is in the documentation that comes with the program. */
const DESCRIPTIONS: Readonly<
  Record<string, { readonly section: 1 | 8; readonly paragraphs: readonly string[] }>
> = {
  serve: {
    section: 8,
    paragraphs: [
      "Receives crash dumps that FreeBSD kernels send by netdump(4). A packet is acknowledged when it is in its file, the end of a dump when all of it is on stable storage under its final names. A dump is called complete only if a sound kernel dump header covers what came; any other keeps the name .incomplete, and its info file says why.",
      "A server that was killed and is started again goes on with its running dumps. SIGTERM, SIGINT and SIGHUP stop it in order; a second signal ends it at once.",
    ],
  },
  send: {
    section: 1,
    paragraphs: [
      "Replays a dump to any netdump server, with the kernel dump header and key that lie beside it. With --check it sends none, and says whether a server is there that would take one.",
    ],
  },
  inspect: {
    section: 1,
    paragraphs: [
      "Says what crashed, when and why, and whether the dump is whole: minidumps, full dumps, textdumps, disk images, info files and crashinfo's reports, compressed and encrypted ones too. For a directory or a bucket it lists the dumps.",
    ],
  },
};

/** All pages. */
export function manPages(): ManPage[] {
  const described = commands.filter(({ name }) => name in DESCRIPTIONS);
  const pages = described.map((command): ManPage => {
    const { section } = DESCRIPTIONS[command.name]!;
    return { file: `netdump-${command.name}.${section}`, text: commandPage(command) };
  });
  return [{ file: "netdump.1", text: programPage(described) }, ...pages];
}

function programPage(described: readonly Command[]): string {
  return page("netdump", 1, "receive, replay and read FreeBSD kernel crash dumps", [
    ".Sh SYNOPSIS",
    ".Nm",
    ".Ar command",
    ".Op Ar option ...",
    ".Sh DESCRIPTION",
    ".Bl -tag -width inspect",
    ...described.flatMap((
      { name, summary },
    ) => [`.It Cm ${name}`, `${text(summary)}; see`, `${reference(name)} .`]),
    ".It Cm completions",
    "Prints completions for a shell.",
    ".It Cm help",
    "Shows help.",
    ".El",
    ...optionList(globalOptions),
    ...exitStatus(),
    ".Sh SEE ALSO",
    ...described.map(({ name }) => reference(name)).sort(bySection).map((line, i, all) =>
      line + (i < all.length - 1 ? " ," : "")
    ),
  ]);
}

function commandPage(command: Command): string {
  const { name, summary, options, examples, operands } = command;
  const { section, paragraphs } = DESCRIPTIONS[name]!;
  const operand = operands === undefined ? [] : [
    `${operands.least === 0 ? ".Op Ar" : ".Ar"} ${operands.placeholder}${operands.most > 1 ? " ..." : ""}`,
  ];
  return page(`netdump-${name}`, section, summary, [
    ".Sh SYNOPSIS",
    `.Nm "netdump ${name}"`,
    ".Op Ar option ...",
    ...operand,
    ".Sh DESCRIPTION",
    ...paragraphs.flatMap((paragraph, i) => [...(i > 0 ? [".Pp"] : []), ...sentences(paragraph)]),
    ...optionList(options),
    ...exitStatus(),
    ".Sh EXAMPLES",
    ...examples.flatMap(([example, meaning], i) => [
      ...(i > 0 ? [".Pp"] : []),
      `${text(meaning.charAt(0).toUpperCase() + meaning.slice(1))}:`,
      `.Dl ${text(example)}`,
    ]),
    ".Sh SEE ALSO",
    ".Xr netdump 1",
  ]);
}

function page(name: string, section: number, summary: string, body: readonly string[]): string {
  return [
    '.\\" Made from the option table; tests/docs/man_test.ts holds it.',
    `.Dd ${DATE}`,
    `.Dt ${name.toUpperCase()} ${section}`,
    ".Os",
    ".Sh NAME",
    `.Nm ${name}`,
    `.Nd ${text(summary)}`,
    ...body,
    "",
  ].join("\n");
}

function optionList(options: Readonly<Record<string, Option>>): string[] {
  return [".Sh OPTIONS", ".Bl -tag -width Ds", ...Object.entries(options).flatMap(optionEntry), ".El"];
}

function optionEntry([name, option]: [string, Option]): string[] {
  const value = takesValue(option) ? ` Ar \\&${option.value.placeholder}` : "";
  const short = option.short === undefined ? "" : `Fl ${option.short}${value} , `;
  const notes = takesValue(option)
    ? [
      ...(option.required ? ["required"] : []),
      ...(option.repeatable ? ["may be repeated"] : []),
      ...(option.default !== undefined ? [`default: ${option.default}`] : []),
      ...(option.defaultInWords !== undefined ? [`default: ${option.defaultInWords}`] : []),
    ]
    : [];
  const help = option.help.charAt(0).toUpperCase() + option.help.slice(1);
  return [
    `.It ${short}Fl -${name}${value}`,
    `${text(help)}${notes.length > 0 ? ` (${text(notes.join("; "))})` : ""}.`,
  ];
}

function exitStatus(): string[] {
  return [
    ".Sh EXIT STATUS",
    ".Bl -tag -width Ds",
    ".It 0",
    "It went well.",
    ".It 1",
    "The operation failed, or a dump is bad.",
    ".It 2",
    "The command line is wrong.",
    ".El",
  ];
}

function reference(name: string): string {
  return `.Xr netdump-${name} ${DESCRIPTIONS[name]!.section}`;
}

/** References by section, then by name, as mdoc wants them. */
function bySection(a: string, b: string): number {
  return a.at(-1)!.localeCompare(b.at(-1)!) || a.localeCompare(b);
}

/** Each sentence on a line of its own, as mdoc wants it. */
function sentences(paragraph: string): string[] {
  return paragraph.split(/(?<=\.) (?=[A-Z])/).map(text);
}

/** Words as roff takes them: no escape, and no request at the beginning of a line. */
function text(words: string): string {
  return words.replaceAll("\\", "\\e").replace(/^[.']/, "\\&$&");
}
