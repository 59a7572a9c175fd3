/**
 * What names an ELF file's build: build-id, link to its debug file, interpreter (reference kernel-symbols.md, sections
 * 2.1 and 2.3).
 *
 * @module
 */

import { readSpan } from "../bytes/source.ts";
import { type ElfFile, stringAt } from "./elf_file.ts";
import { type ElfSection, SectionType } from "./elf_section.ts";

/** Where a build's number stands in the file, and its digits. */
export interface BuildId {
  /** Lower-case hex. */
  readonly hex: string;
  /** Where the note is loaded, so that a dump's memory can be compared; `null` if it is not. */
  readonly noteAddress: bigint | null;
  /** Bytes of the note with its header. */
  readonly noteSize: number;
}

/** The file that holds a file's debug sections. */
export interface DebugLink {
  /** A file name without a directory. */
  readonly name: string;
  /** CRC-32 of the whole file. */
  readonly crc32: number;
}

const SMALL_SECTION_BYTES = 4096;
const NOTE_BUILD_ID = 3;
const INTERPRETER_SEGMENT = 3;
const KERNEL_INTERPRETER = "/red/herring";

/** The build-id of a file that has one. */
export async function readBuildId(file: ElfFile): Promise<BuildId | null> {
  const section = file.section(".note.gnu.build-id") ??
    file.sections.find((s) => s.type === SectionType.NOTE && s.name.includes("build-id")) ?? null;
  const bytes = section === null ? null : await readSmall(file, section);
  if (section === null || bytes === null) return null;
  const note = decodeBuildIdNote(bytes, file.header.byteOrder);
  return note === null
    ? null
    : { hex: note.hex, noteSize: note.size, noteAddress: section.allocated ? section.address : null };
}

/** Decodes a note that should be a build-id, wherever it was found; `size` is that of the whole note. */
export function decodeBuildIdNote(
  bytes: Uint8Array,
  byteOrder: "little" | "big",
): { readonly hex: string; readonly size: number } | null {
  if (bytes.byteLength < 16) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = byteOrder === "little";
  const [nameSize, size] = [view.getUint32(0, little), view.getUint32(4, little)];
  const isGnu = nameSize === 4 && stringAt(bytes.subarray(12, 16), 0) === "GNU";
  if (!isGnu || view.getUint32(8, little) !== NOTE_BUILD_ID) return null;
  const id = bytes.subarray(16, 16 + size);
  if (size === 0 || id.byteLength < size) return null;
  return { hex: Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join(""), size: 16 + size };
}

/** The link to the debug file, if the file has one. */
export async function readDebugLink(file: ElfFile): Promise<DebugLink | null> {
  const section = file.section(".gnu_debuglink");
  const bytes = section === null ? null : await readSmall(file, section);
  if (bytes === null) return null;
  const end = bytes.indexOf(0);
  const crcAt = Math.ceil((end + 1) / 4) * 4;
  if (end <= 0 || crcAt + 4 > bytes.byteLength) return null;
  const name = stringAt(bytes, 0);
  // A name that leads into another directory is not a debug file's.
  if (name.includes("/") || name.includes("\\") || name === "." || name === "..") return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { name, crc32: view.getUint32(crcAt, file.header.byteOrder === "little") };
}

/**
 * Whether it is a FreeBSD kernel, by its interpreter that does not exist. A debug file has the place of that name, not
 * its bytes: `null`, it cannot be told.
 */
export async function isKernelFile(file: ElfFile): Promise<boolean | null> {
  const segment = file.segments.find((s) => s.type === INTERPRETER_SEGMENT);
  if (segment === undefined) return false;
  const bytes = await file.readVirtual(segment.virtualAddress, KERNEL_INTERPRETER.length + 1);
  if (bytes.byteLength === 0) return null;
  return stringAt(bytes, 0) === KERNEL_INTERPRETER;
}

async function readSmall(file: ElfFile, section: ElfSection): Promise<Uint8Array | null> {
  const contents = await file.contents(section);
  if (contents === null) return null;
  return await readSpan(contents.readAt, 0, Math.min(contents.size, SMALL_SECTION_BYTES));
}
