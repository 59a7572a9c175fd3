/**
 * Entries of .debug_frame and .eh_frame: what functions have in common (CIE) and each function's own (FDE) (reference
 * kernel-symbols.md, section 10).
 *
 * @module
 */

import { Cursor, DamagedDwarfError, unlessDamaged } from "./cursor.ts";

/** A section of call frame information in memory. */
export interface FrameSection {
  readonly bytes: Uint8Array;
  /** Where it is loaded; 0 for what never is. */
  readonly address: bigint;
  /** Whether it is .eh_frame, which differs in how entries refer to each other and to addresses. */
  readonly isEh: boolean;
  readonly littleEndian: boolean;
  readonly addressSize: 4 | 8;
}

/** What functions have in common. */
export interface CommonEntry {
  readonly codeAlignment: number;
  readonly dataAlignment: number;
  readonly returnRegister: number;
  /** Whether the frames are those of traps (augmentation S). */
  readonly isSignalFrame: boolean;
  readonly hasAugmentation: boolean;
  /** How addresses in the functions' entries are written (DW_EH_PE). */
  readonly encoding: number;
  readonly addressSize: 4 | 8;
  readonly instructions: Uint8Array;
}

/** A function's entry. */
export interface FunctionEntry {
  readonly start: bigint;
  readonly end: bigint;
  /** Where the entry of what it shares begins in the section. */
  readonly common: number;
  /** Its instructions in the section. */
  readonly instructionsAt: number;
  readonly instructionsEnd: number;
}

/** A GENERIC kernel has some 60,000 functions. */
const MAX_ENTRIES = 400_000;

/** Encodings of addresses in .eh_frame. */
const Encoding = {
  ABSOLUTE: 0,
  OMIT: 0xff,
  FORMAT: 0x0f,
  RELATIVE: 0x70,
  PC_RELATIVE: 0x10,
  INDIRECT: 0x80,
} as const;

/** S marks a trap's frame, B arm64's second key of pointer authentication, G tagged memory. */
const WITHOUT_DATA = /^[SBG]*$/;

/** Lists the functions' entries, by address; those before damage, if there is any. */
export function listFunctionEntries(
  section: FrameSection,
  commonAt: (offset: number) => CommonEntry | null,
): FunctionEntry[] {
  const entries: FunctionEntry[] = [];
  let at = 0;
  unlessDamaged(() => {
    while (at < section.bytes.byteLength && entries.length < MAX_ENTRIES) {
      const cursor = new Cursor(section.bytes, section.littleEndian, at);
      const { length, is64 } = cursor.initialLength();
      const end = cursor.at + length;
      if (end > section.bytes.byteLength) return;
      const common = length === 0 ? null : commonOffset(cursor, section, is64);
      if (common !== null) {
        const entry = unlessDamaged(() => decodeFunctionEntry(cursor, section, common, end, commonAt), null);
        if (entry !== null) entries.push(entry);
      }
      at = end;
    }
  }, undefined);
  return entries.sort((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
}

/** Where the common entry of a function's entry lies; `null` if this is a common entry itself. */
function commonOffset(cursor: Cursor, section: FrameSection, is64: boolean): number | null {
  const at = cursor.at;
  if (section.isEh) {
    const back = cursor.u32();
    return back === 0 ? null : at - back;
  }
  if (!is64) {
    const offset = cursor.u32();
    return offset === 0xffffffff ? null : offset;
  }
  const offset = cursor.u64();
  return offset === 0xffffffffffffffffn ? null : Number(offset);
}

function decodeFunctionEntry(
  cursor: Cursor,
  section: FrameSection,
  common: number,
  end: number,
  commonAt: (offset: number) => CommonEntry | null,
): FunctionEntry | null {
  const shared = commonAt(common);
  if (shared === null) return null;
  const start = readEncoded(cursor, section, shared.encoding, shared.addressSize);
  const size = readEncoded(cursor, section, shared.encoding & Encoding.FORMAT, shared.addressSize);
  if (shared.hasAugmentation) cursor.skip(cursor.uleb());
  if (cursor.at > end || size <= 0n) return null;
  const mask = shared.addressSize === 8 ? 64 : 32;
  const from = BigInt.asUintN(mask, start);
  return {
    start: from,
    end: from + BigInt.asUintN(mask, size),
    common,
    instructionsAt: cursor.at,
    instructionsEnd: end,
  };
}

/** Decodes the common entry at an offset of the section; `null` if there is none that can be used. */
export function decodeCommonEntry(section: FrameSection, offset: number): CommonEntry | null {
  return unlessDamaged(() => decodeCommon(section, offset), null);
}

function decodeCommon(section: FrameSection, offset: number): CommonEntry | null {
  if (offset < 0 || offset >= section.bytes.byteLength) return null;
  const cursor = new Cursor(section.bytes, section.littleEndian, offset);
  const { length, is64 } = cursor.initialLength();
  const end = cursor.at + length;
  if (commonOffset(cursor, section, is64) !== null) return null;
  const version = cursor.u8();
  if (version !== 1 && version !== 3 && version !== 4) return null;
  const augmentation = cursor.string();
  let addressSize: number = section.addressSize;
  if (augmentation === "eh") cursor.skip(section.addressSize);
  if (version === 4) {
    addressSize = cursor.u8();
    if (cursor.u8() !== 0 || (addressSize !== 4 && addressSize !== 8)) return null;
  }
  const codeAlignment = cursor.uleb();
  const dataAlignment = cursor.sleb();
  const returnRegister = version === 1 ? cursor.u8() : cursor.uleb();
  let encoding: number = Encoding.ABSOLUTE;
  const hasAugmentation = augmentation.startsWith("z");
  if (hasAugmentation) {
    const augmentationEnd = cursor.uleb() + cursor.at;
    encoding = readAugmentation(augmentation, cursor, section) ?? Encoding.ABSOLUTE;
    cursor.at = augmentationEnd;
  } else if (augmentation !== "eh" && !WITHOUT_DATA.test(augmentation)) {
    // What it means is not known, nor where it ends.
    return null;
  }
  return {
    codeAlignment,
    dataAlignment,
    returnRegister,
    isSignalFrame: augmentation.includes("S"),
    hasAugmentation,
    encoding,
    addressSize: addressSize as 4 | 8,
    instructions: cursor.block(Math.max(0, end - cursor.at)),
  };
}

/** Reads the data that the letters of an augmentation announce; gives the encoding of addresses. */
function readAugmentation(letters: string, cursor: Cursor, section: FrameSection): number | null {
  let encoding: number | null = null;
  for (const letter of letters.slice(1)) {
    if (letter === "R") encoding = cursor.u8();
    else if (letter === "L") cursor.u8();
    else if (letter === "P") readEncoded(cursor, section, cursor.u8(), section.addressSize);
    else if (!WITHOUT_DATA.test(letter)) break;
  }
  return encoding;
}

function readEncoded(cursor: Cursor, section: FrameSection, encoding: number, addressSize: 4 | 8): bigint {
  if (encoding === Encoding.OMIT) return 0n;
  const at = section.address + BigInt(cursor.at);
  const value = readFormat(cursor, encoding & Encoding.FORMAT, addressSize);
  if ((encoding & Encoding.INDIRECT) !== 0) throw new DamagedDwarfError("an indirect address");
  const relative = encoding & Encoding.RELATIVE;
  if (relative === Encoding.PC_RELATIVE) return at + value;
  if (relative !== 0) throw new DamagedDwarfError("an address relative to what is not known");
  return value;
}

function readFormat(cursor: Cursor, format: number, addressSize: 4 | 8): bigint {
  switch (format) {
    case 0:
      return cursor.unsigned(addressSize);
    case 1:
      return cursor.ulebBig();
    case 9:
      return cursor.slebBig();
    default: {
      const size = 1 << (format & 7) - 1;
      const value = cursor.unsigned(size);
      return format >= 8 ? BigInt.asIntN(8 * size, value) : value;
    }
  }
}
