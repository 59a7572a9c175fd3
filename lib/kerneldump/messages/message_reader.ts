/**
 * Finds and reads the message buffer of a minidump or of a full dump (reference kernel-dump-formats.md, sections
 * 4.1 and 4.4).
 *
 * @module
 */

import type { ElfCore } from "../elf/elf_core.ts";
import {
  checksumMatches,
  controlSize,
  decodeControl,
  type Machine,
  MESSAGE_BUFFER_LIMIT,
  type MessageBuffer,
  type MessageBufferControl,
  orderByControl,
  orderByText,
} from "./message_buffer.ts";
import { searchControls } from "./message_search.ts";
import { type Minidump, minidumpLayout } from "../minidump/minidump.ts";
import { problem } from "../problem.ts";
import { type Extent, type ReadAt, readSpan } from "../../bytes/source.ts";

/** Candidates in a full dump whose text is looked at: more are a hostile file's. */
const CANDIDATE_LIMIT = 8;

/**
 * Reads the messages of a minidump. If the control structure is not behind the text, as in live dumps, the dumped
 * pages are searched for it.
 *
 * @param pages where the dumped pages stand
 * @param searchLimit bytes of pages to search at most
 * @returns `undefined` if the size of the message buffer cannot be right or nothing of it is in the file
 */
export async function readMinidumpMessages(
  readAt: ReadAt,
  minidump: Minidump,
  pages: Extent,
  searchLimit: number,
): Promise<MessageBuffer | undefined> {
  const size = minidump.messageBufferSize;
  if (size === 0 || size > MESSAGE_BUFFER_LIMIT) return undefined;
  const extent = minidumpLayout(minidump).messageBuffer;
  const section = await readSpan(readAt, extent.offset, extent.size);
  if (section.byteLength === 0) return undefined;
  const ring = section.subarray(0, size);
  if (ring.byteLength < size) return orderByText(ring, "is not in the file, which ends before it");
  const behind = decodeControl(section.subarray(size), minidump);
  if (behind?.size === size) return orderByControl(ring, behind);
  if (ring.some((byte) => byte !== 0)) {
    const control = await searchPages(readAt, minidump, pages, searchLimit);
    if (control !== undefined) return orderByDistantControl(ring, control);
  }
  const cut = section.byteLength < size + controlSize(minidump);
  return orderByText(ring, cut ? "is cut off behind the text" : "is not behind the text, or damaged");
}

/**
 * Searches a full dump for its message buffer, and reads it.
 *
 * @param searchLimit bytes to search at most
 * @returns `undefined` if there is none within the limit
 */
export async function readElfMessages(
  readAt: ReadAt,
  core: ElfCore,
  searchLimit: number,
): Promise<MessageBuffer | undefined> {
  const machine: Machine = { littleEndian: core.byteOrder === "little", wordSize: core.class === 64 ? 8 : 4 };
  const extents = core.segments.map(({ offset, fileSize }) => ({ offset, size: fileSize }));
  let best: { ring: Uint8Array; control: MessageBufferControl } | undefined;
  let candidates = 0;
  for await (const { offset, control } of searchControls(readAt, extents, machine, searchLimit)) {
    // The text stands before the structure, in the same stretch of physical memory.
    const start = offset - control.size;
    if (!extents.some((e) => start >= e.offset && offset < e.offset + e.size)) continue;
    const ring = await readSpan(readAt, start, control.size);
    if (ring.byteLength < control.size) continue;
    if (checksumMatches(ring, control)) return orderByControl(ring, control);
    best ??= { ring, control };
    if (++candidates === CANDIDATE_LIMIT) break;
  }
  return best === undefined ? undefined : orderByControl(best.ring, best.control);
}

async function searchPages(
  readAt: ReadAt,
  minidump: Minidump,
  pages: Extent,
  limit: number,
): Promise<MessageBufferControl | undefined> {
  for await (const { control } of searchControls(readAt, [pages], minidump, limit)) {
    if (control.size === minidump.messageBufferSize) return control;
  }
  return undefined;
}

/** A live kernel writes on between the snapshot of the text and the page with the control structure. */
function orderByDistantControl(ring: Uint8Array, control: MessageBufferControl): MessageBuffer {
  const buffer = orderByControl(ring, control);
  if (buffer.problems.length === 0) return buffer;
  return {
    ...buffer,
    unread: null,
    order: "guessed",
    problems: [problem(
      "message-buffer-order-guessed",
      "Where the message buffer's text begins is taken from a control structure found among the pages, " +
        "which has moved on since the text was saved",
    )],
  };
}
