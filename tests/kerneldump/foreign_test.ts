import { assertEquals, assertStringIncludes } from "@std/assert";
import { identify } from "../../lib/kerneldump/identify.ts";
import { buildElfCore, concatenate } from "./synthetic.ts";

function hintOf(start: Uint8Array, name = "vmcore.0"): string | null {
  const identity = identify({ name, start, end: start.subarray(-4096), size: start.byteLength });
  return identity.kind === "unknown" ? identity.hint : identity.kind;
}

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

Deno.test("identify() names what is often taken for a dump, and what to do with it", () => {
  const rows: [magic: string, said: string][] = [
    ["BZh91AY&SY\x01\x02", "bzip2 -d"],
    ["BZh9\x17rE8P\x90\0\0\0\0", "bzip2 -d"],
    ["\xfd7zXZ\0\0\x04", "xz -d"],
    ["\x04\x22\x4d\x18\x64\x40", "lz4 -d"],
    ["PK\x03\x04\x14\0", "unzip"],
    ["7z\xbc\xaf\x27\x1c\0\x04", "7z x"],
    ["QFI\xfb\0\0\0\x03", "qemu-img convert -O raw"],
    ["KDUMP   \x06\0", "kdump"],
    ["LibvirtQemudSave\x02", "libvirt"],
  ];
  for (const [magic, said] of rows) {
    assertStringIncludes(hintOf(concatenate([latin1(magic), new Uint8Array(600)])) ?? "", said);
  }
  const tar = new Uint8Array(1024);
  tar.set(latin1("readme"));
  tar.set(latin1("ustar"), 257);
  assertStringIncludes(hintOf(tar) ?? "", "tar -xf");
});

Deno.test("identify() takes nothing shorter than a magic for one", () => {
  for (const start of ["BZh9 but no block", "PK", "LZ", ""]) {
    assertEquals(hintOf(latin1(start)), start === "" ? "empty" : null);
  }
});

/** A core with notes, as processes and hypervisors have: an ELF header, PT_NOTE and PT_LOAD, and the note. */
function coreWithNote(owner: string, virtualAddress: bigint): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(latin1("\x7fELF\x02\x01\x01"));
  const view = new DataView(bytes.buffer);
  const u16 = (at: number, value: number) => view.setUint16(at, value, true);
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  const u64 = (at: number, value: bigint) => view.setBigUint64(at, value, true);
  u16(16, 4);
  u16(18, 62);
  u32(20, 1);
  u64(32, 64n);
  u16(52, 64);
  u16(54, 56);
  u16(56, 2);
  u32(64, 4);
  u64(72, 176n);
  u64(96, 32n);
  u32(120, 1);
  u64(128, 1024n);
  u64(136, virtualAddress);
  u64(152, 1024n);
  u64(160, 1024n);
  u32(176, owner.length + 1);
  bytes.set(latin1(owner), 188);
  return bytes;
}

Deno.test("identify() tells a guest's memory from the core of a process", () => {
  assertStringIncludes(hintOf(coreWithNote("QEMU", 0n)) ?? "", "hypervisor (QEMU)");
  assertStringIncludes(hintOf(coreWithNote("VBCPU", 0n)) ?? "", "hypervisor (VirtualBox)");
  assertStringIncludes(hintOf(coreWithNote("CORE", 0n)) ?? "", "its hypervisor saved");
  assertStringIncludes(hintOf(coreWithNote("VMCOREINFO", 0xffff888000000000n)) ?? "", "Linux");
  assertEquals(hintOf(coreWithNote("FreeBSD", 0x400000n)), "the core of a process, not a kernel dump");
});

Deno.test("identify() takes a full dump whose first segment is at address 0 for one", () => {
  const core = buildElfCore({ segments: [{ address: 0n, contents: new Uint8Array(4096) }] });
  assertEquals(hintOf(core), "elf-core");
});
