/** What computing took, whoever else had the processor meanwhile. */
import process from "node:process";

/** Milliseconds that this process has computed. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
