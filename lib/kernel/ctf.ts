/**
 * CTF, the compact types that every FreeBSD kernel carries in `.SUNW_ctf`: versions 2 and 3 (reference
 * kernel-symbols.md, section 12).
 *
 * @module
 */

import { type ReadAt, readSpan } from "../bytes/source.ts";
import { CtfTypeTable } from "./ctf_types.ts";
import { inflateZlib, joinPieces } from "./elf_compressed.ts";
import { type ElfFile, stringAt } from "./elf_file.ts";
import { type ElfSymbol, readElfSymbols } from "./elf_symbols.ts";
import type { FunctionType, NamedType, StructType, Type, Types } from "./types.ts";

/** The types of a CTF container. */
export interface Ctf extends Types {
  readonly version: 2 | 3;
  /** What the container is a build of, e.g. `FreeBSD 10.2-RELEASE amd64 1002000`, each with its last type's number. */
  readonly labels: readonly { readonly name: string; readonly lastType: number }[];
  /** How many types it describes. */
  readonly typeCount: number;
  /** The name of the container that lower numbers of types refer to; `null` where it stands alone. */
  readonly parentName: string | null;
  /** A type by its number; void for 0 and for what is not there. */
  type(id: number): Type;
  /** The type of a function, by its symbol's name. */
  function(name: string): FunctionType | null;
}

/** What a container's numbers mean beside its bytes. */
export interface CtfContext {
  readonly byteOrder: "little" | "big";
  readonly pointerSize: 4 | 8;
  /** The symbol table that objects and functions are told in the order of. */
  readonly symbols: readonly ElfSymbol[];
  /** The string table of those symbols, which names may lie in. */
  readonly elfStrings?: Uint8Array;
  /** The container that this one adds to. */
  readonly parent?: Ctf;
}

const MAGIC = 0xcff1;
const HEADER_BYTES = 36;
const FLAG_COMPRESSED = 1;
/** A kernel's types take a few MiB. */
const MAX_BODY_BYTES = 48 * 2 ** 20;
const MAX_LABELS = 64;
const SYMBOL_OBJECT = 1;
const SYMBOL_FUNCTION = 2;
const SECTION_ABSOLUTE = 0xfff1;

/** Reads the types of a kernel or module; `null` if it has none that can be read. */
export async function readCtf(file: ElfFile, parent?: Ctf): Promise<Ctf | null> {
  const section = file.section(".SUNW_ctf");
  const contents = section === null ? null : await file.contents(section);
  if (contents === null) return null;
  const table = file.section(".symtab") ?? file.section(".dynsym");
  const names = table === null ? undefined : file.sections.find((s) => s.index === table.link);
  const strings = names === undefined ? null : await file.contents(names);
  return await decodeCtf(contents.readAt, {
    byteOrder: file.header.byteOrder,
    pointerSize: file.header.class === 64 ? 8 : 4,
    symbols: table === null ? [] : await readElfSymbols(file, table),
    ...(strings === null
      ? {}
      : { elfStrings: await readSpan(strings.readAt, 0, Math.min(strings.size, MAX_BODY_BYTES)) }),
    ...(parent === undefined ? {} : { parent }),
  });
}

/**
 * Decodes a container, from a file or from a dump's memory. In memory it is decompressed although its header says
 * otherwise (section 12.5), so it counts as compressed only where a zlib stream begins.
 *
 * @returns `null` if it is no CTF of a known version
 */
export async function decodeCtf(readAt: ReadAt, context: CtfContext): Promise<Ctf | null> {
  const header = decodeHeader(await readAt(0, HEADER_BYTES), context.byteOrder);
  if (header === null) return null;
  const behind: ReadAt = (offset, length) => readAt(HEADER_BYTES + offset, length);
  const size = Math.min(header.stringsAt + header.stringsBytes, MAX_BODY_BYTES);
  const compressed = (header.flags & FLAG_COMPRESSED) !== 0 && await beginsZlib(behind);
  const body = await (compressed ? joinPieces(inflateZlib(behind), size) : readSpan(behind, 0, size));
  return new DecodedCtf(header, body, context);
}

async function beginsZlib(readAt: ReadAt): Promise<boolean> {
  const [method = 0, flags = 0] = await readAt(0, 2);
  return (method & 15) === 8 && (method * 256 + flags) % 31 === 0;
}

interface Header {
  readonly version: 2 | 3;
  readonly flags: number;
  readonly parentNameAt: number;
  readonly labelsAt: number;
  readonly objectsAt: number;
  readonly functionsAt: number;
  readonly typesAt: number;
  readonly stringsAt: number;
  readonly stringsBytes: number;
}

function decodeHeader(bytes: Uint8Array, byteOrder: "little" | "big"): Header | null {
  if (bytes.byteLength < HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = byteOrder === "little";
  const version = view.getUint8(2);
  if (view.getUint16(0, little) !== MAGIC || (version !== 2 && version !== 3)) return null;
  const word = (index: number) => view.getUint32(4 + 4 * index, little);
  return {
    version,
    flags: view.getUint8(3),
    parentNameAt: word(1),
    labelsAt: word(2),
    objectsAt: word(3),
    functionsAt: word(4),
    typesAt: word(5),
    stringsAt: word(6),
    stringsBytes: word(7),
  };
}

class DecodedCtf implements Ctf {
  readonly version: 2 | 3;
  readonly labels: Ctf["labels"];
  readonly parentName: string | null;
  readonly #header: Header;
  readonly #view: DataView;
  readonly #context: CtfContext;
  readonly #table: CtfTypeTable;
  #objects: ReadonlyMap<string, number> | undefined;
  #functions: ReadonlyMap<string, number> | undefined;

  constructor(header: Header, body: Uint8Array, context: CtfContext) {
    this.version = header.version;
    this.#header = header;
    this.#context = context;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const { stringsAt, typesAt } = header;
    const strings = body.subarray(stringsAt, stringsAt + header.stringsBytes);
    const nameAt = (offset: number) =>
      offset < 0x80000000
        ? stringAt(strings, offset)
        : stringAt(context.elfStrings ?? new Uint8Array(0), offset - 0x80000000);
    this.parentName = header.parentNameAt === 0 ? null : nameAt(header.parentNameAt);
    this.#table = new CtfTypeTable(body.subarray(typesAt, Math.max(typesAt, stringsAt)), {
      version: header.version,
      littleEndian: context.byteOrder === "little",
      pointerSize: context.pointerSize,
      isChild: header.parentNameAt !== 0,
      nameAt,
      parentType: (id) => context.parent?.type(id) ?? { kind: "void" },
    });
    this.labels = this.#words(header.labelsAt, header.objectsAt, 4).slice(0, 2 * MAX_LABELS)
      .flatMap((word, i, words) => i % 2 === 0 ? [{ name: nameAt(word), lastType: words[i + 1] ?? 0 }] : []);
  }

  get typeCount(): number {
    return this.#table.count;
  }

  type(id: number): Type {
    return this.#table.type(id);
  }

  struct(name: string): Promise<StructType | null> {
    const found = this.#table.struct(name);
    return found === null && this.#context.parent !== undefined
      ? this.#context.parent.struct(name)
      : Promise.resolve(found);
  }

  typedef(name: string): Promise<NamedType | null> {
    const found = this.#table.typedef(name);
    return found === null && this.#context.parent !== undefined
      ? this.#context.parent.typedef(name)
      : Promise.resolve(found);
  }

  variable(name: string): Promise<Type | null> {
    this.#objects ??= this.#readObjects();
    const id = this.#objects.get(name) ?? 0;
    return Promise.resolve(id === 0 ? null : this.#table.type(id));
  }

  function(name: string): FunctionType | null {
    this.#functions ??= this.#readFunctions();
    const at = this.#functions.get(name);
    return at === undefined ? null : this.#functionAt(at);
  }

  /** The integers of a part of the body, as far as it goes. */
  #words(from: number, to: number, size: 2 | 4): number[] {
    const end = Math.min(to, this.#view.byteLength);
    const words: number[] = [];
    for (let at = from; at + size <= end; at += size) words.push(this.#word(at, size));
    return words;
  }

  #word(at: number, size: number): number {
    const little = this.#context.byteOrder === "little";
    return size === 2 ? this.#view.getUint16(at, little) : this.#view.getUint32(at, little);
  }

  /** Numbers of types by the names of objects (section 12.3). */
  #readObjects(): ReadonlyMap<string, number> {
    const ids = this.#words(this.#header.objectsAt, this.#header.functionsAt, this.version === 2 ? 2 : 4);
    const objects = new Map<string, number>();
    this.#symbolsOf(SYMBOL_OBJECT).forEach(({ name }, i) => {
      const id = ids[i];
      if (id !== undefined && !objects.has(name)) objects.set(name, id);
    });
    return objects;
  }

  /** Where functions are told, by their names. */
  #readFunctions(): ReadonlyMap<string, number> {
    const size = this.version === 2 ? 2 : 4;
    const end = Math.min(this.#header.typesAt, this.#view.byteLength);
    const functions = new Map<string, number>();
    let at = this.#header.functionsAt;
    for (const { name } of this.#symbolsOf(SYMBOL_FUNCTION)) {
      if (at + size > end) break;
      const info = this.#word(at, size);
      if (info !== 0 && !functions.has(name)) functions.set(name, at);
      // No data is one word; else info, return type and parameters.
      at += info === 0 ? size : size * (2 + this.#parameterCount(info));
    }
    return functions;
  }

  #parameterCount(info: number): number {
    return this.version === 2 ? info & 0x3ff : info & 0xffffff;
  }

  #functionAt(at: number): FunctionType {
    const size = this.version === 2 ? 2 : 4;
    const count = this.#parameterCount(this.#word(at, size));
    const ids = this.#words(at + size, Math.min(at + size * (2 + count), this.#header.typesAt), size);
    const [returns = 0, ...parameters] = ids;
    return {
      kind: "function",
      returns: this.#table.type(returns),
      parameters: parameters.map((id) => this.#table.type(id)),
    };
  }

  #symbolsOf(type: number): ElfSymbol[] {
    return this.#context.symbols.filter((symbol) =>
      symbol.type === type && symbol.sectionIndex !== 0 && symbol.name !== "" &&
      !(symbol.sectionIndex === SECTION_ABSOLUTE && symbol.value === 0n) &&
      symbol.name !== "_START_" && symbol.name !== "_END_"
    );
  }
}
