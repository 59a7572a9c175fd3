/**
 * A dump as crashinfo reports it, in a file that whoever reads `core.txt.N` can read: what a dump tells without the
 * machine that it comes from. Nothing from a dump is written unescaped (P8).
 *
 * @module
 */

import { formatCoreText, LAST_SECTION } from "../../kerneldump/files/core_text.ts";
import { stripPriorities } from "../../kerneldump/messages/message_text.ts";
import type { NamedFrame } from "../../kernel/backtrace.ts";
import { escapeLine, escapeLines } from "../../text/escape.ts";
import { formatTable } from "../../text/table.ts";
import type { Findings } from "../findings.ts";
import type { KernelFindings } from "../kernel_findings.ts";

/** What a textdump has of a report. */
export interface TextMembers {
  readonly config: string | null;
}

/** Makes the report. */
export function formatCoreTextReport(findings: Findings, { config }: TextMembers, writtenAt: Date): string {
  const { summary, file, kernel, messages, textdump } = findings;
  const captured = textdump?.ddb ?? kernel?.captured ?? null;
  return formatCoreText({
    // The first line is taken apart at blanks.
    host: escapeLine(summary.host ?? "unknown").replaceAll(" ", "\\x20"),
    vmcore: escapeLine(file),
    writtenAt,
    uname: unameOf(findings),
    panic: escapeLines(summary.panic ?? ""),
    debugger: [...messageLines(findings), ...backtraceLines(findings)],
    sections: [
      ...(kernel === null ? [] : [["ps -axlww", processTable(kernel)] as const]),
      ["dmesg", messages === null ? "(not in the dump)" : escapeLines(stripPriorities(messages))],
      ...(config === null ? [] : [["kernel config", escapeLines(config)] as const]),
      [LAST_SECTION, captured === null ? "(not known)" : escapeLines(captured)],
    ],
  });
}

/** MACHINE, where the dump tells its architecture only. */
const MACHINES: Readonly<Record<string, string>> = {
  aarch64: "arm64",
  riscv64: "riscv",
  powerpc64: "powerpc",
  powerpc64le: "powerpc",
  armv6: "arm",
  armv7: "arm",
};

function unameOf({ summary, kernel, header, minidump, elf }: Findings) {
  const version = summary.version;
  if (version === null) return null;
  const osrelease = kernel?.kernel.facts.osrelease ?? /^FreeBSD (\S{1,100})/.exec(version)?.[1] ?? "unknown";
  const architecture = minidump?.minidump.architecture ?? elf?.machine ?? header?.architecture ?? "unknown";
  const machine = kernel?.kernel.facts.machine ?? MACHINES[architecture] ?? architecture;
  return {
    osrelease: escapeLine(osrelease),
    version: escapeLines(version),
    machine: escapeLine(machine),
  };
}

/** kgdb begins with what syslogd had not read: the panic, and what came before it. */
function messageLines({ panic }: Findings): string[] {
  if (panic === null) return [];
  const lines = [...panic.before, ...panic.lines].map((line) => escapeLines(line));
  return ["Unread portion of the kernel message buffer:", ...lines, ""];
}

/** The backtrace in a debugger's words. */
function backtraceLines({ kernel, problems, textdump }: Findings): string[] {
  const crashed = kernel?.stacks.find((stack) => stack.crashed);
  if (kernel === null || crashed === undefined) {
    if (textdump?.stack) return textdump.stack.lines.map(escapeLines);
    const why = problems.find(({ code }) => code === "kernel-unread")?.message;
    return [`(no backtrace${why === undefined ? "" : `. ${why}`})`];
  }
  const wrong = kernel.kernel.matches === false
    ? ["warning: the kernel file is not that of the kernel that crashed: names and lines may be wrong"]
    : [];
  const digits = 2 * kernel.kernel.machine.format.wordSize;
  const { frames } = crashed;
  return [
    ...wrong,
    ...frames.map((frame, number) => frameLine(frame, number, frames[number - 1]?.inline ? 0 : digits)),
  ];
}

/** @param digits of the address; 0 for what an inlined function is in, whose address debuggers leave out */
function frameLine(frame: NamedFrame, number: number, digits: number): string {
  const { pc, symbol, inline, file, line, trap } = frame;
  const start = `#${`${number}`.padEnd(2)} `;
  if (trap !== null) return `${start}<signal handler called>`;
  const name = escapeLine((inline ? frame.function : symbol) ?? "??");
  const address = digits === 0 ? "" : `0x${pc.toString(16).padStart(digits, "0")} in `;
  const where = file === null ? "" : ` at ${escapeLine(file)}${line === null ? "" : `:${line}`}`;
  return `${start}${address}${name} ()${where}`;
}

/** The columns of ps that a dump tells. */
function processTable({ kernel, processes }: KernelFindings): string {
  const details = new Map(processes);
  const rows = kernel.processes.map((process) => {
    const told = details.get(process) ?? null;
    const command = told?.arguments?.join(" ") ?? "";
    return [
      `${told?.uid ?? "-"}`,
      `${process.pid}`,
      `${told?.parent ?? "-"}`,
      escapeLine(told?.waitMessage || "-"),
      escapeLine(told?.state ?? (process.zombie ? "Z" : "-")),
      command === "" ? `[${escapeLine(process.name)}]` : escapeLine(command),
    ];
  });
  return formatTable(
    [["UID", "PID", "PPID", "MWCHAN", "STAT", "COMMAND"], ...rows],
    ["right", "right", "right"],
  ).join("\n");
}
