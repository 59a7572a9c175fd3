/**
 * Permissions that a command gives up before it reads a byte: the executable has those of all commands.
 *
 * @module
 */

/** All that Deno can permit. */
const ALL = ["read", "write", "net", "env", "sys", "run", "ffi", "import"] as const;

/** One of Deno's permissions. */
type Permission = typeof ALL[number];

/** Gives up all permissions but the ones named. What was never granted is no matter. */
export async function keepOnly(...needed: readonly Permission[]): Promise<void> {
  for (const name of ALL) {
    if (!needed.includes(name)) await Deno.permissions.revoke({ name } as Deno.PermissionDescriptor);
  }
}
