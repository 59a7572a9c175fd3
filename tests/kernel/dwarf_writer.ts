/** Debug sections written entry by entry, in any form, for tests. */
import { Form } from "../../lib/kernel/dwarf/constants.ts";
import { ByteWriter, type WrittenSection } from "./elf_writer.ts";

/** An entry: its attributes each with a form; names of other entries stand for references. */
export interface WrittenEntry {
  /** What references call it. */
  readonly label?: string;
  readonly tag: number;
  readonly attributes: readonly (readonly [name: number, form: number, value?: WrittenValue])[];
  readonly children?: readonly WrittenEntry[];
}

/** A value: a number, a string, the bytes of a block or the label of an entry. */
export type WrittenValue = number | bigint | string | Uint8Array;

/** A unit to write. */
export interface WrittenUnit {
  readonly version: 2 | 3 | 4 | 5;
  readonly is64?: boolean;
  readonly littleEndian?: boolean;
  readonly addressSize?: 4 | 8;
  readonly root: WrittenEntry;
}

/** Writes `.debug_info` and `.debug_abbrev` of a unit that is alone in its file. */
export function writeUnit(unit: WrittenUnit): WrittenSection[] {
  const abbreviations = new ByteWriter(unit.littleEndian);
  const codes = new Map<string, number>();
  const codeOf = (entry: WrittenEntry) => {
    const shape = JSON.stringify([
      entry.tag,
      entry.children !== undefined,
      entry.attributes.map((
        [name, form, value],
      ) => [name, form, form === Form.IMPLICIT_CONST ? Number(value) : 0]),
    ]);
    const known = codes.get(shape);
    if (known !== undefined) return known;
    const code = codes.size + 1;
    codes.set(shape, code);
    abbreviations.uleb(code).uleb(entry.tag).u8(entry.children === undefined ? 0 : 1);
    for (const [name, form, value] of entry.attributes) {
      abbreviations.uleb(name).uleb(form);
      if (form === Form.IMPLICIT_CONST) abbreviations.sleb(Number(value));
    }
    abbreviations.u8(0, 0);
    return code;
  };
  // The first time finds out where entries lie, the second refers to them.
  const places = new Map<string, number>();
  writeInfo(unit, codeOf, places);
  const info = writeInfo(unit, codeOf, places);
  return [
    { name: ".debug_info", bytes: info },
    { name: ".debug_abbrev", bytes: abbreviations.u8(0).done() },
  ];
}

function writeInfo(
  unit: WrittenUnit,
  codeOf: (entry: WrittenEntry) => number,
  places: Map<string, number>,
): Uint8Array {
  const { is64 = false, addressSize = 8, version } = unit;
  const header = new ByteWriter(unit.littleEndian).u16(version);
  if (version === 5) header.u8(1, addressSize).integer(is64 ? 8 : 4, 0);
  else header.integer(is64 ? 8 : 4, 0).u8(addressSize);
  const start = (is64 ? 12 : 4) + header.length;
  const body = new ByteWriter(unit.littleEndian);
  const write = (entry: WrittenEntry) => {
    if (entry.label !== undefined) places.set(entry.label, start + body.length);
    body.uleb(codeOf(entry));
    for (const [, form, value = 0] of entry.attributes) writeForm(body, form, value, unit, places);
    if (entry.children === undefined) return;
    entry.children.forEach(write);
    body.u8(0);
  };
  write(unit.root);
  const length = header.length + body.length;
  const info = new ByteWriter(unit.littleEndian);
  if (is64) info.u32(0xffffffff).integer(8, length);
  else info.u32(length);
  return info.bytes(header.done()).bytes(body.done()).done();
}

/** Bytes of the forms that have a fixed number of them; 0 stands for an offset. */
const SIZES: Readonly<Record<number, number>> = {
  [Form.DATA1]: 1,
  [Form.FLAG]: 1,
  [Form.REF1]: 1,
  [Form.STRX1]: 1,
  [Form.ADDRX1]: 1,
  [Form.DATA2]: 2,
  [Form.REF2]: 2,
  [Form.STRX2]: 2,
  [Form.ADDRX2]: 2,
  [Form.STRX3]: 3,
  [Form.ADDRX3]: 3,
  [Form.DATA4]: 4,
  [Form.REF4]: 4,
  [Form.STRX4]: 4,
  [Form.ADDRX4]: 4,
  [Form.REF_SUP4]: 4,
  [Form.DATA8]: 8,
  [Form.REF8]: 8,
  [Form.REF_SIG8]: 8,
  [Form.REF_SUP8]: 8,
  [Form.STRP]: 0,
  [Form.LINE_STRP]: 0,
  [Form.SEC_OFFSET]: 0,
  [Form.STRP_SUP]: 0,
  [Form.REF_ADDR]: 0,
  [Form.GNU_REF_ALT]: 0,
  [Form.GNU_STRP_ALT]: 0,
};

function writeForm(
  out: ByteWriter,
  form: number,
  value: WrittenValue,
  unit: WrittenUnit,
  places: ReadonlyMap<string, number>,
): void {
  const { is64 = false, addressSize = 8 } = unit;
  if (form === Form.INDIRECT) {
    out.uleb(Form.DATA2).u16(Number(value));
  } else if (value instanceof Uint8Array) {
    if (form === Form.BLOCK1) out.u8(value.byteLength);
    else if (form === Form.BLOCK2) out.u16(value.byteLength);
    else if (form === Form.BLOCK4) out.u32(value.byteLength);
    else if (form !== Form.DATA16) out.uleb(value.byteLength);
    out.bytes(value);
  } else if (form === Form.STRING) {
    out.string(`${value}`);
  } else if (form === Form.ADDR) {
    out.integer(addressSize, BigInt(value));
  } else if (form !== Form.FLAG_PRESENT && form !== Form.IMPLICIT_CONST) {
    const number = typeof value === "string" ? places.get(value) ?? 0 : value;
    const size = SIZES[form];
    if (form === Form.SDATA) out.sleb(number);
    else if (size === undefined) out.uleb(number);
    else if (form === Form.REF_ADDR && unit.version === 2) out.integer(addressSize, number);
    else out.integer(size === 0 ? (is64 ? 8 : 4) : size, number);
  }
}
