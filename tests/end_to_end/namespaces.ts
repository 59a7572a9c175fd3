/**
 * Linux namespaces for tests: networks and mounts of their own, where the system and the user allow them.
 */

/** Why namespaces cannot be used here, for the names of tests that are skipped; `undefined` if they can. */
export const NO_NAMESPACES: string | undefined = Deno.build.os !== "linux"
  ? "no Linux"
  : Deno.uid() !== 0
  ? "not root"
  : !succeeds("unshare", "--net", "--mount", "ip", "link", "set", "lo", "up")
  ? "no unshare(1) or ip(8)"
  : undefined;

function succeeds(program: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** Wraps a command so that it runs in namespaces, after some lines of shell. */
export function inNamespaces(
  flags: readonly string[],
  setup: string,
): (command: readonly string[]) => string[] {
  return (command) => ["unshare", ...flags, "sh", "-ec", `${setup}\nexec "$@"`, "sh", ...command];
}
