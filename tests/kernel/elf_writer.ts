/** Small ELF files of any class and byte order, for tests: sections one behind the other, the headers at the end. */

/** A section to write. */
export interface WrittenSection {
  readonly name: string;
  /** PROGBITS where not said. */
  readonly type?: number;
  readonly flags?: number;
  readonly address?: bigint;
  readonly bytes?: Uint8Array;
  /** Where it differs from the bytes': NOBITS. */
  readonly size?: number;
  readonly link?: number;
  readonly info?: number;
  readonly alignment?: number;
  readonly entrySize?: number;
}

/** A file to write. */
export interface WrittenElf {
  readonly bits?: 32 | 64;
  readonly littleEndian?: boolean;
  readonly machine?: number;
  readonly type?: number;
  readonly sections: readonly WrittenSection[];
  /** Program headers; `section` is the index of the section (from 1) whose bytes they load. */
  readonly segments?: readonly { type: number; section: number }[];
}

/** Writes integers one behind the other. */
export class ByteWriter {
  readonly #bytes: number[] = [];
  readonly #little: boolean;

  constructor(littleEndian = true) {
    this.#little = littleEndian;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** An unsigned or two's complement integer of some bytes. */
  integer(size: number, value: number | bigint): this {
    const all = BigInt.asUintN(8 * size, BigInt(value));
    for (let i = 0; i < size; i++) {
      const shift = BigInt(8 * (this.#little ? i : size - 1 - i));
      this.#bytes.push(Number((all >> shift) & 0xffn));
    }
    return this;
  }

  u8(...values: number[]): this {
    for (const value of values) this.#bytes.push(value & 0xff);
    return this;
  }

  u16(value: number): this {
    return this.integer(2, value);
  }

  u32(value: number): this {
    return this.integer(4, value);
  }

  uleb(value: number | bigint): this {
    let rest = BigInt(value);
    do {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      this.#bytes.push(rest === 0n ? low : low | 0x80);
    } while (rest !== 0n);
    return this;
  }

  sleb(value: number | bigint): this {
    let rest = BigInt(value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
      this.#bytes.push(done ? low : low | 0x80);
      if (done) return this;
    }
  }

  string(text: string): this {
    return this.bytes(new TextEncoder().encode(text)).u8(0);
  }

  bytes(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  align(unit: number): this {
    while (this.#bytes.length % unit !== 0) this.#bytes.push(0);
    return this;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Builds a table of NUL-terminated strings; `offsetOf` adds. */
export class StringTable {
  readonly #writer = new ByteWriter().u8(0);
  readonly #offsets = new Map<string, number>([["", 0]]);

  offsetOf(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#writer.length;
    this.#writer.string(text);
    this.#offsets.set(text, offset);
    return offset;
  }

  done(): Uint8Array {
    return this.#writer.done();
  }
}

/** Writes the file. Sections are numbered from 1 in the order given; the names' section is the last. */
export function writeElf(elf: WrittenElf): Uint8Array {
  const bits = elf.bits ?? 64;
  const wide = bits === 64;
  const word = wide ? 8 : 4;
  const segments = elf.segments ?? [];
  const names = new StringTable();
  const all: WrittenSection[] = [...elf.sections, { name: ".shstrtab", type: 3 }];
  const nameOffsets = all.map((section) => names.offsetOf(section.name));
  const headerSize = wide ? 64 : 52;
  const body = new ByteWriter(elf.littleEndian);
  const placed = all.map((section) => {
    const bytes = section.name === ".shstrtab" ? names.done() : section.bytes ?? new Uint8Array(0);
    body.align(8);
    const offset = headerSize + segments.length * (wide ? 56 : 32) + body.length;
    body.bytes(bytes);
    return { ...section, offset, bytes };
  });
  body.align(8);
  const sectionsAt = headerSize + segments.length * (wide ? 56 : 32) + body.length;
  const file = new ByteWriter(elf.littleEndian);
  file.u8(0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, elf.littleEndian === false ? 2 : 1, 1, 9).align(16);
  file.u16(elf.type ?? 2).u16(elf.machine ?? (wide ? 62 : 3)).u32(1).integer(word, 0);
  file.integer(word, segments.length > 0 ? headerSize : 0).integer(word, sectionsAt).u32(0).u16(headerSize);
  file.u16(wide ? 56 : 32).u16(segments.length).u16(wide ? 64 : 40).u16(all.length + 1).u16(all.length);
  for (const { type, section } of segments) {
    const { address = 0n, offset, bytes, size = bytes.byteLength } = placed[section - 1]!;
    file.u32(type);
    if (wide) file.u32(5);
    for (const value of [BigInt(offset), address, address, BigInt(bytes.byteLength), BigInt(size)]) {
      file.integer(word, value);
    }
    if (wide) file.integer(8, 8);
    else file.u32(5).u32(8);
  }
  file.bytes(body.done()).bytes(new Uint8Array(wide ? 64 : 40));
  placed.forEach((section, i) => {
    file.u32(nameOffsets[i]!).u32(section.type ?? 1).integer(word, section.flags ?? 0);
    file.integer(word, section.address ?? 0n).integer(word, section.offset);
    file.integer(word, section.size ?? section.bytes.byteLength).u32(section.link ?? 0).u32(
      section.info ?? 0,
    );
    file.integer(word, section.alignment ?? 1).integer(word, section.entrySize ?? 0);
  });
  return file.done();
}

/** A symbol to write. */
export interface WrittenSymbol {
  readonly name: string;
  readonly value: bigint;
  readonly size?: number;
  /** FUNC where not said. */
  readonly type?: number;
  readonly binding?: number;
  readonly section?: number;
}

/** Writes a symbol table with the null symbol in front; names go into the string table given. */
export function writeSymbols(
  symbols: readonly WrittenSymbol[],
  strings: StringTable,
  format: { bits?: 32 | 64; littleEndian?: boolean } = {},
): Uint8Array {
  const table = new ByteWriter(format.littleEndian);
  const null_ = { name: "", value: 0n, type: 0, binding: 0, section: 0 };
  for (const symbol of [null_, ...symbols]) {
    const info = (symbol.binding ?? 1) << 4 | (symbol.type ?? 2);
    const size = "size" in symbol ? symbol.size ?? 0 : 0;
    table.u32(strings.offsetOf(symbol.name));
    if (format.bits === 32) {
      table.integer(4, symbol.value).u32(size).u8(info, 0).u16(symbol.section ?? 1);
    } else {
      table.u8(info, 0).u16(symbol.section ?? 1).integer(8, symbol.value).integer(8, size);
    }
  }
  return table.done();
}
