/** What computing took, whoever else had the processor meanwhile. */
import process from "node:process";

/** Milliseconds that this thread has computed; where the system does not tell them, those of the whole process. */
export function cpuMs(): number {
  try {
    const [ns] = Deno.readTextFileSync("/proc/thread-self/schedstat").split(" ");
    return Number(ns) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
}
