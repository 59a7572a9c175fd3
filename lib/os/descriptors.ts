/**
 * How many files this process may have open.
 *
 * @module
 */

/**
 * The limit of open files, as a shell that this process starts sees it; `null` if the system does not tell. Needs run
 * permission for `sh`.
 */
export async function descriptorLimit(): Promise<number | null> {
  if (Deno.build.os === "windows") return null;
  try {
    const { success, stdout } = await new Deno.Command("/bin/sh", {
      args: ["-c", "ulimit -n"],
      stdin: "null",
      stderr: "null",
    }).output();
    const text = new TextDecoder().decode(stdout).trim();
    return success && /^\d{1,9}$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}
