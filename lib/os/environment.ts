/**
 * The environment, as far as this process may look.
 *
 * @module
 */

/** A variable's value; `undefined` if it is not set, or the permission for it was not given. */
export function environmentVariable(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch {
    return undefined;
  }
}

/** Those of the variables that are set. */
export function environmentVariables(names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = environmentVariable(name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}
