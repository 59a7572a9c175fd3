/** What computing took, whoever else had the processor meanwhile. */
import process from "node:process";

/** Milliseconds that this thread has computed; where the system does not tell them, those of the whole process. */
export function cpuMs(): number {
  try {
    const ns = Number.parseInt(Deno.readTextFileSync("/proc/thread-self/schedstat"));
    // A kernel that keeps no account says 0.
    if (ns > 0) return ns / 1e6;
  } catch {
    // No Linux.
  }
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
