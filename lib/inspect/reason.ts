/**
 * The file system's refusals in plain words.
 *
 * @module
 */

/** Why the file system refused, in a few words, without the call and the path that Deno adds. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) return "this program was not given the permission";
  if (error instanceof Deno.errors.AlreadyExists) return "it exists already";
  const code = (error as { code?: unknown }).code;
  const message = error instanceof Error ? error.message.replace(/:.*| \(os error.*/s, "") : "unknown error";
  return typeof code === "string" && !message.includes(code) ? `${message} (${code})` : message;
}
