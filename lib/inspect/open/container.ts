/**
 * Where in a file the dump is: all of it as a rule, behind a header, before one, or on a raw dump device (reference
 * kernel-dump-formats.md, sections 1.8 and 1.9).
 *
 * @module
 */

import {
  type DeviceImage,
  readAtOfDeviceData,
  readDeviceImage,
  readLiveDump,
} from "../../kerneldump/device/device_image.ts";
import { SEARCH_LIMIT, searchDevice } from "../../kerneldump/device/device_search.ts";
import { type NewerDeviceImage, readNewerDeviceImage } from "../../kerneldump/device/newer_device.ts";
import {
  decodeKernelDumpHeader,
  decodeNewerHeader,
  KERNEL_DUMP_HEADER_SIZE,
  type KernelDumpHeader,
  type NewerKernelDumpHeader,
} from "../../kerneldump/files/header.ts";
import { identify, type Identity, SAMPLE_END_SIZE, SAMPLE_START_SIZE } from "../../kerneldump/identify.ts";
import { MAX_ENCRYPTED_KEY_SIZE } from "../../kerneldump/files/key.ts";
import type { Problem } from "../../kerneldump/problem.ts";
import { findDumpPartition } from "../../kerneldump/device/partitions.ts";
import { newerHeaderProblem } from "./companions.ts";
import { type Source, WindowSource } from "../../bytes/source.ts";

/** A file opened up to its dump. */
export interface Container {
  /** What the file is, or what lies on it if it is a device. */
  readonly identity: Identity;
  /** The bytes of the dump: encrypted and compressed as they are. */
  readonly source: Source;
  /** Whether the dump was saved in a file of its own; else it lies on a device or is followed by its header. */
  readonly plainFile: boolean;
  /** The header in the file, if there is one. */
  readonly header: KernelDumpHeader | null;
  /** A header in the file of a version that is not known: then `header` is `null`. */
  readonly newerHeader: NewerKernelDumpHeader | null;
  /** The key block in the file, undecoded. */
  readonly key: Uint8Array | null;
  readonly problems: readonly Problem[];
}

/** Identifies a source by its first bytes and, where they can be had, its last. */
export async function identifySource(source: Source, name: string): Promise<Identity> {
  const start = (await source.read(0, SAMPLE_START_SIZE)).slice();
  const { size } = source;
  const end = source.randomAccess && size !== null
    ? await source.read(Math.max(0, size - SAMPLE_END_SIZE), SAMPLE_END_SIZE)
    : null;
  return identify({ name, start, end, size });
}

/** Finds the dump in a file. */
export async function openContainer(file: Source, name: string): Promise<Container> {
  const identity = await identifySource(file, name);
  const whole: Container = {
    identity,
    source: file,
    plainFile: true,
    header: null,
    newerHeader: null,
    key: null,
    problems: [],
  };
  switch (identity.kind) {
    case "device-image":
      return await openDevice(file, whole, name);
    case "unknown":
      return identity.hint === null ? await openDisk(file, whole, name) : whole;
    case "minidump":
    case "compressed":
      return identity.trailingHeader ? await openLiveDump(file, whole, name) : whole;
    case "elf-core": {
      if (identity.dataOffset === 0) return whole;
      const source = new WindowSource(file, identity.dataOffset);
      return { ...whole, source, header: await headerAt(file, 0), plainFile: false };
    }
    case "kernel-dump-header": {
      const behind = await openDumpBehindHeader(file, whole, name);
      if (behind !== undefined) return behind;
      const newer = decodeNewerHeader(await file.read(0, KERNEL_DUMP_HEADER_SIZE));
      return newer === undefined
        ? { ...whole, header: await headerAt(file, 0) }
        : { ...whole, newerHeader: newer };
    }
    default:
      return whole;
  }
}

async function openDevice(file: Source, whole: Container, name: string): Promise<Container> {
  const image = await readDeviceImage(file.read.bind(file), file.size ?? 0) ??
    await readNewerDeviceImage(file.read.bind(file), file.size ?? 0, SEARCH_LIMIT);
  return image === undefined ? whole : await openImage(file, whole, image, name);
}

/** A disk with a dump device in it, or a device whose dump was interrupted. */
async function openDisk(file: Source, whole: Container, name: string): Promise<Container> {
  const partition = file.randomAccess && file.size !== null
    ? await findDumpPartition(file.read.bind(file), file.size)
    : undefined;
  if (partition !== undefined) {
    return await openDevice(new WindowSource(file, partition.offset, partition.size), whole, name);
  }
  const image = await searchImage(file);
  return image === undefined ? whole : await openImage(file, whole, image, name);
}

/** A dump device cut out where its header begins: the dump follows, and a copy of the header. */
async function openDumpBehindHeader(
  file: Source,
  whole: Container,
  name: string,
): Promise<Container | undefined> {
  const image = file.size !== null && file.size > KERNEL_DUMP_HEADER_SIZE
    ? await searchImage(file, KERNEL_DUMP_HEADER_SIZE)
    : undefined;
  if (image === undefined) return undefined;
  const opened = await openImage(file, whole, image, name);
  return opened.identity.kind === "unknown" ? undefined : opened;
}

/** Searches a device without a header in its last sector. */
async function searchImage(
  file: Source,
  limit?: number,
): Promise<DeviceImage | NewerDeviceImage | undefined> {
  if (!file.randomAccess || file.size === null) return undefined;
  return await searchDevice(file.read.bind(file), file.size, limit);
}

async function openImage(
  file: Source,
  whole: Container,
  image: DeviceImage | NewerDeviceImage,
  name: string,
): Promise<Container> {
  const extent = image.data ?? { offset: 0, size: 0 };
  const source: Source = {
    size: extent.size,
    randomAccess: true,
    read: readAtOfDeviceData(file.read.bind(file), extent, image.backwards),
    close: () => {},
  };
  const opened = { ...whole, identity: await identifySource(source, name), source, plainFile: false };
  if (!("key" in image)) {
    const problems = [newerHeaderProblem(name, image.header), ...image.problems];
    return { ...opened, newerHeader: image.header, problems };
  }
  const { key, header, problems } = image;
  return {
    ...opened,
    header,
    key: key === null ? null : await file.read(key.offset, Math.min(key.size, 4 * MAX_ENCRYPTED_KEY_SIZE)),
    problems,
  };
}

async function openLiveDump(file: Source, whole: Container, name: string): Promise<Container> {
  const size = file.size ?? 0;
  const live = await readLiveDump(file.read.bind(file), size);
  if (live !== undefined) {
    const source = new WindowSource(file, live.data.offset, live.data.size);
    return { ...whole, source, plainFile: false, header: live.header, problems: live.problems };
  }
  const last = size - KERNEL_DUMP_HEADER_SIZE;
  const newer = decodeNewerHeader(await file.read(Math.max(0, last), KERNEL_DUMP_HEADER_SIZE));
  if (newer === undefined) return whole;
  const source = new WindowSource(file, 0, Math.min(newer.dumpLength, last));
  return {
    ...whole,
    source,
    plainFile: false,
    newerHeader: newer,
    problems: [newerHeaderProblem(name, newer)],
  };
}

async function headerAt(file: Source, offset: number): Promise<KernelDumpHeader | null> {
  try {
    return decodeKernelDumpHeader(await file.read(offset, KERNEL_DUMP_HEADER_SIZE));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
