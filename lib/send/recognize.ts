/**
 * What a file to be sent is: anything that is recognized as no dump is more likely a mistake than meant.
 *
 * @module
 */

import type { Source } from "../bytes/source.ts";
import { StreamSource } from "../bytes/stream_source.ts";
import { decompressGzip } from "../bytes/gzip/member.ts";
import { decompressZstd } from "../bytes/zstd/frame.ts";
import { SECTOR_SIZES } from "../kerneldump/device/device_image.ts";
import { searchDevice } from "../kerneldump/device/device_search.ts";
import { findDumpPartition } from "../kerneldump/device/partitions.ts";
import { identify, type Identity, SAMPLE_END_SIZE, SAMPLE_START_SIZE } from "../kerneldump/identify.ts";
import { FileSource } from "../os/file_source.ts";
import { describeError } from "../os/system_error.ts";
import { quote } from "../text/escape.ts";
import { SendError } from "./failure.ts";

/** What is no dump, in words that continue "it is". */
const NO_DUMPS: Readonly<Partial<Record<Identity["kind"], string>>> = {
  info: "an info file",
  "core-txt": "crashinfo's report of a dump",
  bounds: "the number of the next dump",
  minfree: "how many KiB savecore leaves free",
  "kernel-dump-header": "a kernel dump header",
  key: "the key of an encrypted dump",
  "device-image": "the image of a dump device, with the dump in it",
};

/** A file that can be read anywhere. */
export interface Readable {
  /** As it is called in messages. */
  readonly path: string;
  readonly name: string;
  readonly open: () => Source;
}

/**
 * Refuses a file that is recognized as no dump.
 *
 * @throws {SendError} that says what it is, or that it cannot be read
 */
export async function refuseWhatIsNoDump(
  { path, name, open }: Readable,
  start: Uint8Array,
  size: number,
): Promise<void> {
  const what = await reading({ path, open }, async (file) => {
    const end = await file.read(Math.max(0, size - SAMPLE_END_SIZE), SAMPLE_END_SIZE);
    const identity = identify({ name, start, end, size });
    // More than a header in its sector: the dump follows it.
    const followed = identity.kind === "kernel-dump-header" && size > Math.max(...SECTOR_SIZES);
    const known = followed ? NO_DUMPS["device-image"]! : whatInstead(identity);
    if (known !== null || identity.kind === "unknown") {
      return known ?? (await holdsDevice(file, size) ? NO_DUMPS["device-image"] : null);
    }
    if (identity.kind !== "compressed") return null;
    const { plain } = await readBelow(file, identity.compression);
    const below = whatInstead(identify({ name: "", start: plain, end: null, size: null }));
    return below === null ? null : `${below}, compressed`;
  });
  if (what === null) return;
  throw new SendError(`Cannot send ${quote(path)}: it is ${what}; --force sends it all the same`);
}

function whatInstead(identity: Identity): string | null {
  return identity.kind === "unknown" ? identity.hint : NO_DUMPS[identity.kind] ?? null;
}

/** The windows of a search, which keeps none of them, are read into the same memory: it would pile up faster than it is freed. */
const WINDOW_BYTES = 2 ** 20;

async function holdsDevice(file: Source, size: number): Promise<boolean> {
  const window = new Uint8Array(WINDOW_BYTES);
  const readAt = (offset: number, length: number) =>
    file instanceof FileSource && length === WINDOW_BYTES
      ? Promise.resolve(file.readInto(window, offset))
      : file.read(offset, length);
  return (await findDumpPartition(readAt, size) ?? await searchDevice(readAt, size)) !== undefined;
}

/** The first bytes of a dump as they are below one compression, and which that is. */
export interface Beginning {
  readonly plain: Uint8Array;
  readonly compression: "none" | "gzip" | "zstd";
}

/** Reads the first bytes of a dump below one compression. What cannot be decompressed is shorter, or empty. */
export async function readBeginning(dump: Omit<Readable, "name">, start: Uint8Array): Promise<Beginning> {
  const identity = identify({ name: "", start, end: null, size: null });
  if (identity.kind !== "compressed") return { plain: start, compression: "none" };
  return await reading(dump, (file) => readBelow(file, identity.compression));
}

async function readBelow(file: Source, compression: "gzip" | "zstd"): Promise<Beginning> {
  const stream = new StreamSource(() =>
    compression === "gzip" ? decompressGzip(file) : decompressZstd(file, { checksum: false })
  );
  try {
    return { plain: (await stream.read(0, SAMPLE_START_SIZE)).slice(), compression };
  } finally {
    stream.close();
  }
}

async function reading<T>(
  { path, open }: Omit<Readable, "name">,
  use: (file: Source) => Promise<T>,
): Promise<T> {
  try {
    const file = open();
    try {
      return await use(file);
    } finally {
      file.close();
    }
  } catch (error) {
    throw new SendError(`Cannot read ${quote(path)}: ${describeError(error)}`);
  }
}
