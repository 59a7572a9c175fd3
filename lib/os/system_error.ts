/**
 * Errors of the operating system in a few words for people, whatever the system and the Deno version.
 *
 * @module
 */

const MEANINGS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "disk quota exceeded",
  EEXIST: "it exists already",
  EFBIG: "file too large for the file system",
  EIO: "input/output error",
  EISDIR: "is a directory",
  EMFILE: "too many open files",
  ENAMETOOLONG: "name too long",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on device",
  ENOTDIR: "not a directory",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
};

/** The system's name of an error, such as `ENOENT`; its message if it has none. */
export function errorCode(error: unknown): string {
  if (error instanceof Deno.errors.AlreadyExists) return "EEXIST";
  if (error instanceof Deno.errors.NotFound) return "ENOENT";
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") return code;
  const message = error instanceof Error ? error.message : String(error);
  return /^E[A-Z]+\b/.exec(message)?.[0] ?? message;
}

/** An error in a few words, without the call, the path and the number that Deno adds. Not escaped. */
export function describeError(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno does not permit it (below /dev, /proc and /sys only with --allow-all)";
  }
  const code = errorCode(error);
  const meaning = MEANINGS[code];
  if (meaning !== undefined) return meaning;
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ \(os error \d+\)(?=$|:)/, "").replace(/: \w+ '.*'$/s, "");
}
