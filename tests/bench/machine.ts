/**
 * What it is measured on, and what a process took of it. Linux: all of it is read from /proc.
 *
 * @module
 */

/** Ticks per second of the times in /proc: USER_HZ, 100 on every Linux. */
const TICKS_PER_SECOND = 100;
const MIB = 1024 ** 2;

/** The machine in a few lines of markdown. */
export function describeMachine(): string {
  const cpuInfo = Deno.readTextFileSync("/proc/cpuinfo");
  const model = /^model name\s*:\s*(.+)$/m.exec(cpuInfo)?.[1] ?? Deno.build.arch;
  const memory = Math.round(Deno.systemMemoryInfo().total / 1024 ** 3);
  return [
    `- machine: ${navigator.hardwareConcurrency} cores, ${model}, ${memory} GiB`,
    `- system: Linux ${Deno.osRelease()}, ${Deno.build.arch}; load before the start: ${
      Deno.loadavg()[0]!.toFixed(1)
    }`,
    `- Deno ${Deno.version.deno} (V8 ${Deno.version.v8})`,
  ].join("\n");
}

/** CPU time that a process has taken, user and system, all threads, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process in MiB: the most it ever had, or what it has now. */
export function memoryMiB(pid: number, which: "VmHWM" | "VmRSS"): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const [, kib] = new RegExp(`^${which}:\\s*(\\d+) kB`, "m").exec(status) ?? [];
  return Number(kib) * 1024 / MIB;
}

/** Waits until somebody has bound a UDP port. */
export async function untilBound(port: number, patienceMs: number): Promise<void> {
  const pattern = new RegExp(
    `^\\s*\\d+: [0-9A-F]+:${port.toString(16).toUpperCase().padStart(4, "0")} `,
    "m",
  );
  for (const late = Date.now() + patienceMs; !pattern.test(Deno.readTextFileSync("/proc/net/udp"));) {
    if (Date.now() > late) throw new Error(`Nobody took UDP port ${port} within ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
