/**
 * Lists of address ranges: .debug_ranges of DWARF 3 and 4, .debug_rnglists of DWARF 5.
 *
 * @module
 */

import { Cursor, unlessDamaged } from "./cursor.ts";
import type { FormContext, FormValue } from "./forms.ts";

/** Addresses from `start` to before `end`. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

interface RangesContext extends FormContext {
  readonly baseAddress: bigint;
  readonly bases: { readonly addresses: number; readonly rangeLists: number };
}

const MAX_RANGES = 65_536;

/** Kinds of entries in .debug_rnglists. */
const Entry = {
  END: 0,
  BASE_INDEX: 1,
  START_INDEX_END_INDEX: 2,
  START_INDEX_LENGTH: 3,
  OFFSET_PAIR: 4,
  BASE: 5,
  START_END: 6,
  START_LENGTH: 7,
} as const;

/** Reads the list that an attribute refers to; what of it can be read, if it is damaged. */
export function readRanges(unit: RangesContext, value: FormValue): AddressRange[] {
  const ranges: AddressRange[] = [];
  const add = (start: bigint, end: bigint) => {
    if (end > start) ranges.push({ start, end });
    return ranges.length < MAX_RANGES;
  };
  unlessDamaged(() => {
    if (unit.version >= 5) readList(unit, value, add);
    else if (value.kind === "offset" || value.kind === "constant") {
      readPairs(unit, Number(value.kind === "offset" ? value.offset : value.value), add);
    }
  }, undefined);
  return ranges;
}

type Add = (start: bigint, end: bigint) => boolean;

function readPairs(unit: RangesContext, offset: number, add: Add): void {
  const cursor = new Cursor(unit.shared.ranges, unit.shared.littleEndian, offset);
  const baseMark = unit.addressSize === 8 ? 0xffffffffffffffffn : 0xffffffffn;
  let base = unit.baseAddress;
  for (;;) {
    const start = cursor.unsigned(unit.addressSize);
    const end = cursor.unsigned(unit.addressSize);
    if (start === 0n && end === 0n) return;
    if (start === baseMark) base = end;
    else if (!add(base + start, base + end)) return;
  }
}

function readList(unit: RangesContext, value: FormValue, add: Add): void {
  const { shared, addressSize } = unit;
  const offset = listOffset(unit, value);
  if (offset === null) return;
  const cursor = new Cursor(shared.rangeLists, shared.littleEndian, offset);
  const address = () => cursor.unsigned(addressSize);
  const indexed = () => shared.indexedAddress(unit.bases.addresses, cursor.uleb(), addressSize);
  let base = unit.baseAddress;
  for (let more = true; more;) {
    switch (cursor.u8()) {
      case Entry.BASE_INDEX:
        base = indexed();
        break;
      case Entry.BASE:
        base = address();
        break;
      case Entry.START_INDEX_END_INDEX:
        more = add(indexed(), indexed());
        break;
      case Entry.START_INDEX_LENGTH: {
        const start = indexed();
        more = add(start, start + cursor.ulebBig());
        break;
      }
      case Entry.OFFSET_PAIR:
        more = add(base + cursor.ulebBig(), base + cursor.ulebBig());
        break;
      case Entry.START_END:
        more = add(address(), address());
        break;
      case Entry.START_LENGTH: {
        const start = address();
        more = add(start, start + cursor.ulebBig());
        break;
      }
      default:
        // The end, or what is not known.
        return;
    }
  }
}

function listOffset(unit: RangesContext, value: FormValue): number | null {
  if (value.kind === "offset") return value.offset;
  if (value.kind !== "list-index") return null;
  const { shared, bases, is64 } = unit;
  const table = new Cursor(
    shared.rangeLists,
    shared.littleEndian,
    bases.rangeLists + value.index * (is64 ? 8 : 4),
  );
  return bases.rangeLists + table.offset(is64);
}
