import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import type { Source } from "../../lib/bytes/source.ts";
import { canCompress, FrameCompressor } from "../../lib/bytes/zstd/compress.ts";
import { encodeSeekTable } from "../../lib/bytes/zstd/seek_table.ts";
import { SeekableZstdSource } from "../../lib/bytes/zstd/seekable_source.ts";
import { memorySource } from "./memory_source.ts";

/** A frame of one raw block, which any decoder takes. */
function rawFrame(plain: Uint8Array): Uint8Array {
  const frame = new Uint8Array(9 + 3 + plain.length);
  frame.set([0x28, 0xb5, 0x2f, 0xfd, 0xa0]);
  new DataView(frame.buffer).setUint32(5, plain.length, true);
  const head = plain.length << 3 | 1;
  frame.set([head & 0xff, head >> 8 & 0xff, head >> 16], 9);
  frame.set(plain, 12);
  return frame;
}

/** A frame as Deno makes it. */
function compressFrame(plain: Uint8Array): Uint8Array {
  const compressor = new FrameCompressor(plain.length);
  try {
    return compressor.compress(plain).slice();
  } finally {
    compressor.close();
  }
}

/** Frames of some lengths with their table behind them. */
function seekable(lengths: readonly number[], encode: (plain: Uint8Array) => Uint8Array = rawFrame) {
  const plain = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  for (let at = 0; at < plain.length; at++) plain[at] = at * 7 + (at >> 8);
  const pieces: Uint8Array[] = [];
  const sizes = [];
  let at = 0;
  for (const length of lengths) {
    const frame = encode(plain.subarray(at, at + length));
    pieces.push(frame);
    sizes.push({ compressed: frame.length, plain: length, checksum: 0 });
    at += length;
  }
  pieces.push(encodeSeekTable(sizes));
  return { plain, sizes, file: concatenated(pieces) };
}

function concatenated(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const FRAME_LENGTHS = fc.array(fc.nat(3000), { minLength: 1, maxLength: 12 });

Deno.test("SeekableZstdSource reads the bytes that are asked for, whatever frames they are in", async () => {
  const span = fc.tuple(fc.nat(40_000), fc.nat(20_000));
  await fc.assert(fc.asyncProperty(FRAME_LENGTHS, fc.array(span), async (lengths, spans) => {
    for (const encode of canCompress ? [rawFrame, compressFrame] : [rawFrame]) {
      const { plain, file } = seekable(lengths, encode);
      const source = await SeekableZstdSource.open(memorySource(file));
      assert(source !== undefined);
      assertEquals(source.size, plain.length);
      for (const [offset, length] of spans) {
        assertEquals(await source.read(offset, length), plain.slice(offset, offset + length));
      }
      assertEquals(source.damagedAt, null);
      source.close();
    }
  }));
});

Deno.test("SeekableZstdSource fetches only the frames that are asked for, and each once", async () => {
  const { plain, file } = seekable(new Array(50).fill(1000));
  let fetched = 0;
  const counting: Source = {
    ...memorySource(file),
    read: (offset, length) => {
      fetched += length;
      return Promise.resolve(file.subarray(offset, offset + length));
    },
  };
  const source = await SeekableZstdSource.open(counting);
  assert(source !== undefined);
  const before = fetched;
  for (let i = 0; i < 3; i++) assertEquals(await source.read(20_500, 1000), plain.slice(20_500, 21_500));
  assertEquals(fetched - before, 2 * rawFrame(new Uint8Array(1000)).length);
});

Deno.test("a damaged frame ends what is read in front of it, and is noted", async () => {
  await fc.assert(fc.asyncProperty(FRAME_LENGTHS, fc.nat(11), async (lengths, which) => {
    const { plain, sizes, file } = seekable(lengths);
    const damaged = which % lengths.length;
    fc.pre(lengths[damaged]! > 0);
    const at = sizes.slice(0, damaged).reduce((sum, { compressed }) => sum + compressed, 0);
    // A type of block that zstd does not have.
    file[at + 9]! |= 6;
    const source = await SeekableZstdSource.open(memorySource(file));
    assert(source !== undefined);
    const good = lengths.slice(0, damaged).reduce((sum, length) => sum + length, 0);
    assertEquals(await source.read(0, plain.length), plain.slice(0, good));
    assertEquals(source.damagedAt, good);
  }));
});

Deno.test("a table that cannot be right is none", async () => {
  const { file } = seekable([100, 200]);
  const end = file.length;
  const change = (at: number, value: number) => {
    const changed = file.slice();
    changed[at] = value;
    return changed;
  };
  const wrong: Readonly<Record<string, Uint8Array>> = {
    "no magic": change(end - 1, 0),
    "a reserved bit": change(end - 5, 0x84),
    "more frames than fit": change(end - 9, 200),
    "fewer frames than there are": change(end - 9, 1),
    "a frame that is longer": change(end - 9 - 24, 1),
    "a frame that is too long to be read": change(end - 9 - 24 + 7, 2),
    "another frame to skip": change(end - 9 - 24 - 8, 0x5d),
    "cut in front": file.subarray(1),
    "nothing else": file.subarray(end - 9),
    "nothing": new Uint8Array(0),
  };
  for (const [what, bytes] of Object.entries(wrong)) {
    assertEquals(await SeekableZstdSource.open(memorySource(bytes)), undefined, what);
  }
});

Deno.test("a table that promises other lengths than its frames have gives no wrong bytes", async () => {
  const { file } = seekable([100, 200]);
  const entries = file.length - 9 - 24;
  for (const [first, second] of [[99, 201], [101, 199]]) {
    const lying = file.slice();
    const view = new DataView(lying.buffer);
    view.setUint32(entries + 4, first!, true);
    view.setUint32(entries + 16, second!, true);
    const source = await SeekableZstdSource.open(memorySource(lying));
    assertEquals(await source?.read(0, 300), new Uint8Array(0));
    assertEquals(source?.damagedAt, 0);
  }
});
