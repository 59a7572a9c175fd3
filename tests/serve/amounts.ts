/**
 * How much the tests from seeds do: little by default, more when an environment variable says so.
 *
 * @module
 */

/** The variable's number, or `usual`. */
export function amount(variable: string, usual: number): number {
  const text = Deno.env.get(variable) ?? "";
  return /^\d+$/.test(text) ? Number(text) : usual;
}

/** Tells a figure when somebody asked for a longer run. */
export function tell(variable: string, text: string): void {
  if (Deno.env.get(variable) !== undefined) console.log(`  ${text}`);
}
