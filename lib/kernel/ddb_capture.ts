/**
 * What the kernel's debugger captured of its own output, as ddb(8)'s `capture print` reads it (reference
 * kernel-symbols.md, section 16).
 *
 * @module
 */

import { decodeUtf8 } from "../text/utf8.ts";
import type { KernelGlobals } from "./kernel_globals.ts";

/** More than `debug.ddb.capture.maxbufsize` is set to. */
const MAX_CAPTURE_BYTES = 8 * 2 ** 20;

/** Reads the capture buffer; empty if nothing was captured, `null` if it cannot be told. Unfiltered. */
export async function readCapture(globals: KernelGlobals): Promise<string | null> {
  const length = await globals.int("db_capture_bufoff");
  if (length === null || length < 0 || length > MAX_CAPTURE_BYTES) return null;
  if (length === 0) return "";
  const buffer = await globals.word("db_capture_buf");
  const bytes = buffer === null || buffer === 0n ? null : await globals.memory.read(buffer, length);
  return bytes === null ? null : decodeUtf8(bytes);
}
