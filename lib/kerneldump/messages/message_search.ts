/**
 * Searches a dump for the control structure of the message buffer: the only way in a full dump, and in a minidump
 * whose own copy is missing (reference kernel-dump-formats.md, section 4.4, fallback A).
 *
 * @module
 */

import { controlSize, decodeControl, type Machine, type MessageBufferControl } from "./message_buffer.ts";
import type { Extent, ReadAt } from "../../bytes/source.ts";

/** A control structure, and where in the file it stands. */
export interface FoundControl {
  readonly offset: number;
  readonly control: MessageBufferControl;
}

const MAGIC = 0x063062;
const WINDOW_SIZE = 1024 * 1024;

/**
 * Searches extents of a file for control structures. Buffers are allocated at boot, on most machines at one end of
 * physical memory, so the search goes inwards from both ends.
 *
 * @param limit bytes to look through at most
 */
export async function* searchControls(
  readAt: ReadAt,
  extents: readonly Extent[],
  machine: Machine,
  limit: number,
): AsyncGenerator<FoundControl> {
  if (limit <= 0) return;
  const dataEnd = await findDataEnd(readAt, Math.max(0, ...extents.map(({ offset, size }) => offset + size)));
  let searched = 0;
  for (const window of windowsFromBothEnds(merge(extents, dataEnd))) {
    if (searched >= limit) return;
    searched += window.size;
    // A structure may begin in this window and end in the next.
    const bytes = await readAt(window.offset, window.size + controlSize(machine));
    for (const at of magics(bytes, machine)) {
      if (at >= window.size) break;
      const control = decodeControl(bytes.subarray(at), machine);
      if (control !== undefined) yield { offset: window.offset + at, control };
    }
  }
}

/** Where the data ends, at most `end`: a header that lies must not make the search go on for years beyond it. */
async function findDataEnd(readAt: ReadAt, end: number): Promise<number> {
  let [present, absent] = [0, end + 1];
  while (absent - present > 1) {
    // The first probe is the end itself, which is where the data of an honest dump ends.
    const probe = absent > end ? end : present + Math.floor((absent - present) / 2);
    const isThere = (await readAt(probe - 1, 1)).byteLength === 1;
    [present, absent] = isThere ? [probe, absent] : [present, probe];
  }
  return present;
}

/** Each byte once and none behind the data's end: extents of a header that lies overlap. */
function merge(extents: readonly Extent[], dataEnd: number): Extent[] {
  const merged: { offset: number; size: number }[] = [];
  for (const { offset, size } of extents.toSorted((a, b) => a.offset - b.offset)) {
    const last = merged.at(-1);
    const from = Math.max(offset, last === undefined ? 0 : last.offset + last.size);
    const to = Math.min(offset + size, dataEnd);
    if (from >= to) continue;
    if (last !== undefined && from === last.offset + last.size) last.size += to - from;
    else merged.push({ offset: from, size: to - from });
  }
  return merged;
}

/** Where structures might begin: naturally aligned, with the magic behind the pointer. */
function* magics(bytes: Uint8Array, { littleEndian, wordSize }: Machine): Generator<number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + wordSize + 4 <= bytes.byteLength; at += wordSize) {
    if (view.getUint32(at + wordSize, littleEndian) === MAGIC) yield at;
  }
}

function* windowsFromBothEnds(extents: readonly Extent[]): Generator<Extent> {
  let front = windows(extents, false);
  let back = windows(extents, true);
  const total = extents.reduce((n, { size }) => n + Math.ceil(size / WINDOW_SIZE), 0);
  for (let i = 0; i < total; i++) {
    const next = back.next();
    if (next.done) return;
    yield next.value;
    [front, back] = [back, front];
  }
}

function* windows(extents: readonly Extent[], backwards: boolean): Generator<Extent> {
  for (const extent of backwards ? extents.toReversed() : extents) {
    const count = Math.ceil(extent.size / WINDOW_SIZE);
    for (let i = 0; i < count; i++) {
      const start = (backwards ? count - 1 - i : i) * WINDOW_SIZE;
      yield { offset: extent.offset + start, size: Math.min(WINDOW_SIZE, extent.size - start) };
    }
  }
}
