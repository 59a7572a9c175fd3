/**
 * The path a HERALD may carry (net.netdump.path): below which directory of the server's dump directory the
 * client wants its dump (reference netdump-protocol.md, sections 1.2 and 5.2), and the rules it must obey (P5).
 *
 * @module
 */
import { MAX_HERALD_PATH_SIZE } from "./message.ts";

/** Longest path component that common file systems take, in bytes. */
const MAX_COMPONENT_SIZE = 255;

/** What a HERALD's payload asks for. */
export type HeraldPath =
  /** No path. */
  | { readonly kind: "none" }
  /** A path that obeys the rules: its components. */
  | { readonly kind: "path"; readonly text: string; readonly components: readonly string[] }
  /** A path that does not; `text` is unfiltered network data. */
  | { readonly kind: "refused"; readonly text: string; readonly reason: string };

/** Decodes a HERALD's payload: empty, or a path with its NUL. A payload without a final NUL is refused. */
export function decodeHeraldPath(payload: Uint8Array): HeraldPath {
  if (payload.byteLength === 0) return { kind: "none" };
  const nul = payload.indexOf(0);
  const bytes = nul < 0 ? payload : payload.subarray(0, nul);
  const text = new TextDecoder().decode(bytes.subarray(0, MAX_HERALD_PATH_SIZE));
  if (payload.byteLength > MAX_HERALD_PATH_SIZE) return { kind: "refused", text, reason: "too long" };
  if (nul !== payload.byteLength - 1) {
    return { kind: "refused", text, reason: nul < 0 ? "not terminated by NUL" : "contains NUL" };
  }
  if (text === "") return { kind: "none" };
  const reason = heraldPathProblem(text);
  if (reason !== undefined) return { kind: "refused", text, reason };
  return { kind: "path", text, components: text.split("/").filter((part) => part !== "" && part !== ".") };
}

/**
 * Says which rule a path breaks: it must be relative, without `..`, control characters, backslashes, colons
 * (drive letters and streams on Windows) or undecodable bytes, and each part at most 255 bytes.
 *
 * @returns `undefined` if it breaks none
 */
export function heraldPathProblem(path: string): string | undefined {
  if (path.startsWith("/")) return "absolute";
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) return "contains control characters";
  if (path.includes("\ufffd")) return "not UTF-8";
  if (/[\\:]/.test(path)) return "contains a backslash or a colon";
  for (const part of path.split("/")) {
    if (part === "..") return 'contains ".."';
    if (new TextEncoder().encode(part).byteLength > MAX_COMPONENT_SIZE) return "a component is too long";
  }
  return undefined;
}
