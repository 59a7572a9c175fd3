/**
 * What a file is that belongs to no kernel dump of FreeBSD, but is often taken for one: what to do with it is worth a
 * word.
 *
 * @module
 */

import type { ElfCore } from "./elf/elf_core.ts";
import { hasUstarMagic } from "./textdump.ts";

/** A magic, and what a file is that has it, in words that continue "it is". */
interface Foreign {
  readonly magic: string;
  readonly what: string;
}

/** Of four bytes at least: what is encrypted has any two sooner or later. */
const FOREIGN: readonly Foreign[] = [
  { magic: "BZh", what: "compressed with bzip2: decompress it first (bzip2 -d)" },
  { magic: "\xfd7zXZ\0", what: "compressed with xz: decompress it first (xz -d)" },
  { magic: "\x04\x22\x4d\x18", what: "compressed with lz4: decompress it first (lz4 -d)" },
  { magic: "\x02\x21\x4c\x18", what: "compressed with lz4: decompress it first (lz4 -d)" },
  { magic: "LZIP", what: "compressed with lzip: decompress it first (lzip -d)" },
  { magic: "PK\x03\x04", what: "a zip archive: unpack it first (unzip)" },
  { magic: "7z\xbc\xaf\x27\x1c", what: "a 7z archive: unpack it first (7z x)" },
  { magic: "KDUMP   ", what: "memory in kdump's compressed format, as Linux and QEMU write it" },
  { magic: "makedumpfile", what: "memory in kdump's compressed format, as Linux and QEMU write it" },
  {
    magic: "LibvirtQemudSave",
    what: "a guest that libvirt saved: its memory is in a format of the hypervisor",
  },
  { magic: "QEVM", what: "a guest that QEMU saved: its memory is in a format of the hypervisor" },
  { magic: "QFI\xfb", what: "a disk image in QEMU's format: make it raw first (qemu-img convert -O raw)" },
  { magic: "KDMV", what: "a disk image in VMware's format: make it raw first (qemu-img convert -O raw)" },
  {
    magic: "vhdxfile",
    what: "a disk image in Hyper-V's format: make it raw first (qemu-img convert -O raw)",
  },
  { magic: "PAGEDU64", what: "a memory dump of Windows" },
];

/** Tells what a file is by its first bytes, in words that continue "it is"; `null` if that is not known. */
export function describeForeign(start: Uint8Array): string | null {
  const text = new TextDecoder("latin1").decode(start.subarray(0, LONGEST_MAGIC));
  const found = FOREIGN.find(({ magic }) => text.startsWith(magic) && (magic !== "BZh" || isBzip2(text)));
  if (found !== undefined) return found.what;
  return hasUstarMagic(start) ? "a tar archive, but no textdump: unpack it first (tar -xf)" : null;
}

const LONGEST_MAGIC = 16;

/** The first block's magic (the digits of pi), and that of the end (those of its root). */
const BZIP2_BLOCKS = ["1AY&SY", "\x17rE8P\x90"];

/** The level stands before the block. */
function isBzip2(text: string): boolean {
  return /^BZh[1-9]/.test(text) && BZIP2_BLOCKS.some((magic) => text.startsWith(magic, 4));
}

/** Tells whose core an ELF file is that is no kernel's dump, in words that continue "it is". */
export function describeForeignCore(core: ElfCore, start: Uint8Array): string {
  const notes = new TextDecoder("latin1").decode(start);
  if (notes.includes("VMCOREINFO")) return "the dump of a Linux kernel";
  if (notes.includes("VBCPU\0")) return guest("VirtualBox");
  if (notes.includes("QEMU\0")) return guest("QEMU");
  // No process has its first page at address 0; a hypervisor that knows nothing of virtual addresses puts 0 for all.
  const nameless = core.segments.some(({ virtualAddress, fileSize }) =>
    virtualAddress === 0n && fileSize > 0
  );
  return nameless && core.hasNotes ? guest(null) : "the core of a process, not a kernel dump";
}

function guest(hypervisor: string | null): string {
  const who = hypervisor === null ? "its hypervisor" : `its hypervisor (${hypervisor})`;
  return `the memory of a guest that ${who} saved, not a dump that the guest's kernel wrote`;
}
