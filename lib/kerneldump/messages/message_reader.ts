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
import type { NewerMinidump } from "../minidump/newer_minidump.ts";
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
  const behind = controlBehind(section.subarray(size), minidump);
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
    // The text stands before the structure, in the same stretch of physical memory. A capability is 8 bytes more.
    for (const start of [offset - control.size, offset - control.size - 8]) {
      if (!extents.some((e) => start >= e.offset && offset < e.offset + e.size)) continue;
      const ring = await readSpan(readAt, start, control.size);
      if (ring.byteLength < control.size) continue;
      if (checksumMatches(ring, control)) return orderByControl(ring, control);
      best ??= { ring, control };
    }
    if (++candidates === CANDIDATE_LIMIT) break;
  }
  return best === undefined ? undefined : orderByControl(best.ring, best.control);
}

/** The control structure that begins with these bytes: its first field is a pointer, or a capability of 16 bytes. */
function controlBehind(bytes: Uint8Array, machine: Machine): MessageBufferControl | undefined {
  const control = decodeControl(bytes, machine);
  if (control !== undefined || machine.wordSize === 4) return control;
  return decodeControl(bytes, { ...machine, wordSize: 16 });
}

/** Page sizes of all architectures: the message buffer stands one page into a minidump. */
const PAGE_SIZES = [4096, 16384, 65536] as const;
/** A ring without control structure that is this much text is one. */
const SHARE_OF_TEXT = 0.9;

/**
 * Reads the messages of a minidump of a version or architecture that is not known: they have always stood in the page
 * behind the header (section 3.1). The control structure, whatever the size of its pointer, tells the page size.
 *
 * @returns `undefined` if there is no text where it should be
 */
export async function readNewerMinidumpMessages(
  readAt: ReadAt,
  { messageBufferSize: size, littleEndian }: NewerMinidump,
): Promise<MessageBuffer | undefined> {
  if (size === 0 || size > MESSAGE_BUFFER_LIMIT) return undefined;
  for (const pageSize of PAGE_SIZES) {
    const section = await readSpan(readAt, pageSize, size + controlSize({ littleEndian, wordSize: 16 }));
    for (const wordSize of [8, 4, 16] as const) {
      const control = decodeControl(section.subarray(size), { littleEndian, wordSize });
      if (control?.size === size) return orderByControl(section.subarray(0, size), control);
    }
  }
  for (const pageSize of PAGE_SIZES) {
    const ring = await readSpan(readAt, pageSize, size);
    if (isText(ring)) return orderByText(ring, "is not behind the text, or of another layout");
  }
  return undefined;
}

function isText(ring: Uint8Array): boolean {
  let written = 0;
  let text = 0;
  for (const byte of ring) {
    if (byte !== 0) written++;
    if (byte >= 0x20 && byte < 0x7f || byte === 9 || byte === 10) text++;
  }
  return text > 0 && text >= SHARE_OF_TEXT * written;
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
    order: "guessed",
    problems: [problem(
      "message-buffer-order-guessed",
      "Where the message buffer's text begins is taken from a control structure found among the pages, " +
        "which has moved on since the text was saved",
    )],
  };
}
