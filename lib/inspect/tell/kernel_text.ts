/**
 * The kernel in a dump for people: whether its file belongs to it, stacks as KDB prints them, modules and processes.
 * Nothing from a dump is printed unescaped (P8).
 *
 * @module
 */

import type { ThreadStack } from "../../kernel/kernel.ts";
import type { NamedFrame } from "../../kernel/backtrace.ts";
import type { Machine, TrapFrame } from "../../kernel/machine/machine.ts";
import type { StackEnd } from "../../kernel/unwind.ts";
import { formatValue } from "../../kernel/value_text.ts";
import { told } from "./told.ts";
import { labelled } from "../../text/lines.ts";
import type { Style } from "../../text/style.ts";
import { formatTable } from "../../text/table.ts";
import type { KernelFindings } from "../kernel_findings.ts";

/** The sections about the kernel, each a list of lines; empty without one. */
export function kernelSections(findings: KernelFindings | null, style: Style): string[][] {
  if (findings === null) return [];
  const { kernel, stacks, all, processes, variables } = findings;
  const { machine } = kernel;
  const crashed = stacks.filter((stack) => stack.crashed);
  const others = foldEqual(stacks.filter((stack) => !stack.crashed));
  return [
    fileLines(findings, style),
    ...crashed.map((stack) => [
      style.bold(`Backtrace of thread ${describeThread(stack)}, which took the dump`),
      ...stackLines(stack, machine, style),
    ]),
    ...others.map((group) => [style.bold(groupTitle(group)), ...stackLines(group[0]!, machine, style)]),
    all ? moduleLines(findings, style) : [],
    processes.length === 0 ? [] : processLines(findings, style),
    variables.length === 0 ? [] : variableLines(findings, style),
  ];
}

/** What the user has to know about the file that he named. */
function fileLines({ kernel, all, stacks }: KernelFindings, style: Style): string[] {
  const { file, matches, symbolsFrom } = kernel;
  const verdict = matches === true
    ? style.green("it is the one that crashed")
    : matches === null
    ? style.yellow("whether it is the one that crashed cannot be told")
    : style.red("NOT the kernel that crashed: names and lines may be wrong");
  const lines = [
    ...(file === null ? [] : labelled("Kernel", [told(file), verdict])),
    ...(symbolsFrom === "dump" && matches === false
      ? labelled(
        "Kernel",
        style.red("the file is no kernel of this machine: names come from the dump itself"),
      )
      : []),
    ...(all && !stacks.some(({ crashed }) => crashed)
      ? labelled("Crashed", "no thread took this dump, or it is not in the kernel's lists")
      : []),
  ];
  return lines;
}

function describeThread({ thread, process }: ThreadStack): string {
  const name = threadName(thread.name, process.name);
  const cpu = thread.cpu === null ? "" : ` on CPU ${thread.cpu}`;
  return `${thread.tid} (${name}, pid ${process.pid})${cpu}`;
}

/** A process's only thread often has its name. */
function threadName(thread: string, process: string): string {
  return told(thread === "" || thread === process ? process : `${process}/${thread}`);
}

/** Threads that lie in the same functions are told once. */
function foldEqual(stacks: readonly ThreadStack[]): ThreadStack[][] {
  const groups = new Map<string, ThreadStack[]>();
  for (const stack of stacks) {
    const { frames, end, thread } = stack;
    const onCpu = thread.cpu === null ? "" : "cpu";
    const key = `${onCpu} ${frames.map(({ pc, inline, line }) => `${pc} ${inline} ${line}`).join()} ${end}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [stack]);
    else group.push(stack);
  }
  return [...groups.values()];
}

/** Threads whose names stand above a stack that they share. */
const MAX_NAMED = 8;

function groupTitle(group: readonly ThreadStack[]): string {
  const [first] = group;
  if (group.length === 1) return `Thread ${describeThread(first!)}`;
  const named = group.slice(0, MAX_NAMED).map(describeThread);
  const more = group.length > MAX_NAMED ? [`and ${group.length - MAX_NAMED} more`] : [];
  return [`${group.length} threads with the same stack:`, ...[...named, ...more].map((name) => `  ${name}`)]
    .join("\n");
}

const ENDS: Readonly<Record<StackEnd, string>> = {
  "user-mode": "it came from user mode",
  "thread-start": "the thread starts here",
  "stack-not-in-dump": "the rest of the stack is not in the dump",
  "return-address-0": "the return address is 0",
  "frame-pointer-0": "the frame pointer is 0",
  "trap-frame-not-in-dump": "the trap frame is not in the dump",
  "loop": "the frames loop: the stack is damaged",
  "limit": "there are too many frames",
};

function stackLines(stack: ThreadStack, machine: Machine, style: Style): string[] {
  const { frames, end, thread } = stack;
  if (end === null) {
    return [
      thread.cpu === null
        ? "  its registers are not in the dump"
        : "  it was running, and its CPU was not stopped: its registers are lost",
    ];
  }
  const width = `${frames.length - 1}`.length;
  return [
    ...frames.flatMap((frame, i) => [
      `  #${`${i}`.padEnd(width)} ${frameText(frame, machine)}`,
      ...(frame.trap === null ? [] : trapLines(frame.trap, machine, style)),
    ]),
    style.dim(`  ${ENDS[end]}`),
  ];
}

function frameText(frame: NamedFrame, machine: Machine): string {
  const { pc, symbol, offset, module, inline, file, line } = frame;
  const address = `0x${pc.toString(16).padStart(2 * machine.format.wordSize, "0")}`;
  const hex = (offset ?? 0).toString(16);
  const name = inline
    ? told(frame.function ?? "?")
    : symbol !== null
    ? `${told(symbol)}+0x${hex}`
    : module !== null && module !== "kernel"
    ? `${told(module)}+0x${hex}`
    : "?";
  const where = file === null ? "" : ` at ${told(file)}${line === null ? "" : `:${line}`}`;
  const owner = module === null || module === "kernel" || symbol === null ? "" : ` [${told(module)}]`;
  return `${address} ${name}${inline ? " (inline)" : ""}${owner}${where}`;
}

/** As KDB prints it, so that it can be compared with the messages, and in words. */
function trapLines(
  { kind, number, name, faultAddress, registers }: TrapFrame,
  machine: Machine,
  style: Style,
) {
  const value = (register: string) => {
    const found = registers.get(register);
    return found === undefined ? [] : [`${register} = 0x${found.toString(16)}`];
  };
  const what = number === null
    ? kind
    : `${kind} 0x${number.toString(16)}${name === null ? "" : ` (${name})`}`;
  const parts = [
    what,
    ...[machine.pc, machine.stackPointer, machine.framePointer].flatMap(value),
    ...(faultAddress === null ? [] : [`fault address = 0x${faultAddress.toString(16)}`]),
  ];
  return [style.yellow(`     --- ${parts.join(", ")} ---`)];
}

function moduleLines({ kernel }: KernelFindings, style: Style): string[] {
  const { wordSize } = kernel.machine.format;
  const rows = kernel.code.objects.map(({ name, address, size, file }) => [
    `  0x${address.toString(16).padStart(2 * wordSize, "0")}`,
    size === null ? "" : `0x${size.toString(16)}`,
    told(name),
    file === null ? "" : told(file),
  ]);
  return [style.bold("Kernel and modules"), ...formatTable(rows, ["left", "right"])];
}

/** DDB's ps, a line a process. */
function processLines({ processes }: KernelFindings, style: Style): string[] {
  const rows = processes.map(([{ pid, name, zombie, threads }, details]) => {
    const command = details?.arguments?.join(" ") ?? "";
    return [
      `${pid}`,
      `${details?.parent ?? ""}`,
      `${details?.uid ?? ""}`,
      told(details?.state ?? (zombie ? "Z" : "")),
      `${threads.length}`,
      told(details?.waitMessage ?? ""),
      told(command === "" ? name : command),
    ];
  });
  return [
    style.bold("Processes"),
    ...formatTable(
      [["    pid", "ppid", "uid", "state", "threads", "wmesg", "command"], ...rows],
      ["right", "right", "right", "left", "right"],
    ),
  ];
}

/** As `print` of a debugger has it. */
function variableLines({ variables, kernel }: KernelFindings, style: Style): string[] {
  const digits = 2 * kernel.machine.format.wordSize;
  return [
    style.bold("Variables"),
    ...variables.flatMap((variable) => {
      const { name, address } = variable;
      const where = address === null ? "" : ` at 0x${address.toString(16).padStart(digits, "0")}`;
      return variable.value === null
        ? [`  ${told(name)}${where}: ${variable.why}`]
        : [`  ${told(name)}${where} = ${formatValue(variable.value, "  ")}`];
    }),
  ];
}
