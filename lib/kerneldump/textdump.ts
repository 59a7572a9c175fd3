/**
 * Textdumps: a ustar archive of the kernel's text outputs, with quirks that strict readers trip over (reference
 * kernel-dump-formats.md, section 6).
 *
 * @module
 */

import { type Problem, problem } from "./problem.ts";
import { type ReadAt, readSpan, roundUp } from "../bytes/source.ts";
import { decodeUtf8 } from "../text/utf8.ts";

/** A member of a textdump. */
export interface TextdumpMember {
  /** Unfiltered: escape it before it is shown. */
  readonly name: string;
  /** Where its text begins. */
  readonly offset: number;
  readonly size: number;
  /** Unix time in seconds; `null` if it is unreadable. */
  readonly mtime: number | null;
  /** Whether the file holds all of it. */
  readonly complete: boolean;
}

/** What a textdump holds. */
export interface Textdump {
  readonly members: readonly TextdumpMember[];
  /** Bytes of archive up to the end of the last member, with its padding. */
  readonly size: number;
  readonly problems: readonly Problem[];
}

/** What the kernel writes, in this order. */
const TEXTDUMP_MEMBERS: readonly string[] = [
  "ddb.txt",
  "config.txt",
  "msgbuf.txt",
  "panic.txt",
  "version.txt",
];

/** Bytes of a header and of a unit of contents. */
export const TEXTDUMP_BLOCK_SIZE = 512;

/** The kernel writes five; this bounds a file that lies. */
const MEMBER_LIMIT = 64;
/** How far a valid header is looked for behind a damaged one: textdumps are a few MB at most. */
const RESYNC_LIMIT = 64 * 1024 * 1024;

const NAME = [0, 100] as const;
const SIZE = [124, 12] as const;
const MTIME = [136, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE = 156;
const USTAR = [257, 5] as const;

/** What a header's type says stands behind it; anything else is a member all the same. */
const TYPES = { "x": "pax", "g": "global", "L": "long-name", "K": "long-link", "5": "directory" } as const;

/** Tells whether a block is a header of ustar or of GNU tar, by its magic; its checksum is another matter. */
export function hasUstarMagic(block: Uint8Array): boolean {
  return readString(block, ...USTAR) === "ustar";
}

/** Tells whether the archive that begins like this holds a member that textdumps have. */
export function holdsTextdumpMember(start: Uint8Array): boolean {
  let offset = 0;
  for (let count = 0; count < MEMBER_LIMIT && offset + TEXTDUMP_BLOCK_SIZE <= start.byteLength; count++) {
    const block = start.subarray(offset, offset + TEXTDUMP_BLOCK_SIZE);
    const size = readOctal(block, ...SIZE);
    if (!hasUstarMagic(block) || size === null) return false;
    if (TEXTDUMP_MEMBERS.includes(memberName(ustarName(block)))) return true;
    offset += TEXTDUMP_BLOCK_SIZE + roundUp(size, TEXTDUMP_BLOCK_SIZE);
  }
  return false;
}

function ustarName(block: Uint8Array): string {
  return readString(block, ...NAME);
}

/**
 * Lists a textdump. There is no end marker: it ends where the file does. A lone block of zeros is no end, but what
 * the kernel writes for an empty panic text.
 */
export async function readTextdump(readAt: ReadAt): Promise<Textdump> {
  const members: TextdumpMember[] = [];
  const problems: Problem[] = [];
  let offset = 0;
  let size = 0;
  let zeros = 0;
  let damagedAt: number | undefined;
  let said: Said = {};
  while (members.length < MEMBER_LIMIT && offset - (damagedAt ?? offset) < RESYNC_LIMIT) {
    const block = await readAt(offset, TEXTDUMP_BLOCK_SIZE);
    if (block.byteLength === 0) break;
    if (block.byteLength < TEXTDUMP_BLOCK_SIZE) {
      problems.push(problem("textdump-truncated", `The textdump ends inside the block at offset ${offset}`));
      break;
    }
    // Two blocks of zeros end an archive that another tool wrote.
    zeros = block.every((byte) => byte === 0) ? zeros + 1 : 0;
    if (zeros === 2) break;
    const found = zeros > 0 ? undefined : decodeUstar(block);
    if (found !== undefined) {
      const member = await locate(readAt, applied(found, said), offset + TEXTDUMP_BLOCK_SIZE);
      damagedAt = undefined;
      offset = size = member.offset + roundUp(member.size, TEXTDUMP_BLOCK_SIZE);
      if (found.type === "member") {
        members.push(member);
        said = {};
      } else {
        said = { ...said, ...await readSaid(readAt, found.type, member) };
      }
      problems.push(...checkCut(member));
      if (!member.complete) break;
      continue;
    }
    if (zeros === 0 && damagedAt === undefined) {
      damagedAt = offset;
      problems.push(problem("textdump-damaged", `The textdump's block at offset ${offset} begins no member`));
    }
    offset += TEXTDUMP_BLOCK_SIZE;
  }
  return { members, size, problems: [...problems, ...checkNames(members)] };
}

/** What tar writes before a header about it: a name that is too long for it, its size. */
interface Said {
  readonly name?: string;
  readonly size?: number;
}

/** Such headers hold a name and some numbers. */
const SAID_LIMIT = 65536;

async function readSaid(readAt: ReadAt, type: Header["type"], member: TextdumpMember): Promise<Said> {
  if (type !== "pax" && type !== "long-name") return {};
  const bytes = await readSpan(readAt, member.offset, Math.min(member.size, SAID_LIMIT));
  const text = decodeUtf8(bytes);
  if (type === "long-name") return { name: memberName(text.replace(/\0[^]*$/, "")) };
  const name = /^\d{1,6} path=(.{1,4096})$/m.exec(text)?.[1];
  const size = /^\d{1,6} size=(\d{1,15})$/m.exec(text)?.[1];
  return {
    ...(name === undefined ? {} : { name: memberName(name) }),
    ...(size === undefined ? {} : { size: Number(size) }),
  };
}

function applied(found: Header, said: Said): Header {
  return found.type === "member" ? { ...found, ...said } : found;
}

/** A member of a textdump by whatever path it was packed; any other name without the `./` before it. */
function memberName(path: string): string {
  const base = path.slice(path.lastIndexOf("/") + 1);
  return TEXTDUMP_MEMBERS.includes(base) ? base : path.replace(/^(?:\.\/){1,8}/, "");
}

/**
 * Reads a member's text, unfiltered.
 *
 * @param limit bytes to read at most
 * @param part which of them, where there are more
 * @returns `null` if the textdump has no such member
 */
export async function readTextdumpMember(
  readAt: ReadAt,
  textdump: Textdump,
  name: string,
  limit: number,
  part: "first" | "last" = "first",
): Promise<string | null> {
  const member = textdump.members.find((m) => m.name === name);
  if (member === undefined) return null;
  const size = Math.min(member.size, limit);
  const offset = member.offset + (part === "first" ? 0 : member.size - size);
  const bytes = await readSpan(readAt, offset, size);
  return decodeUtf8(bytes);
}

interface Header extends Pick<TextdumpMember, "name" | "size" | "mtime"> {
  readonly type: "member" | (typeof TYPES)[keyof typeof TYPES];
}

/** Decodes a ustar header; `undefined` if it is none or its checksum is wrong. */
function decodeUstar(block: Uint8Array): Header | undefined {
  const size = readOctal(block, ...SIZE);
  if (!hasUstarMagic(block) || size === null) return undefined;
  if (readOctal(block, ...CHECKSUM) !== checksum(block)) return undefined;
  const code = String.fromCharCode(block[TYPE]!);
  const type = Object.hasOwn(TYPES, code) ? TYPES[code as keyof typeof TYPES] : "member";
  return { type, name: memberName(ustarName(block)), size, mtime: readOctal(block, ...MTIME) };
}

/** The sum of the header's bytes, those of the sum itself taken as spaces. */
function checksum(block: Uint8Array): number {
  const [at, length] = CHECKSUM;
  const inChecksum = (i: number) => i >= at && i < at + length;
  return block.reduce((sum, byte, i) => sum + (inChecksum(i) ? 0x20 : byte), 0);
}

async function locate(
  readAt: ReadAt,
  { name, size, mtime }: Header,
  offset: number,
): Promise<TextdumpMember> {
  const complete = size === 0 || (await readAt(offset + size - 1, 1)).byteLength === 1;
  return { name, offset, size, mtime, complete };
}

/** One note, however many members there are that the kernel does not write. */
function checkNames(members: readonly TextdumpMember[]): Problem[] {
  const unknown = members.filter(({ name }) => !TEXTDUMP_MEMBERS.includes(name));
  if (unknown.length === 0) return [];
  const known = TEXTDUMP_MEMBERS.join(", ");
  const which = unknown.length === 1 ? "a member that is" : `${unknown.length} members that are`;
  return [problem("textdump-unknown-member", `The textdump holds ${which} none of ${known}`)];
}

function checkCut({ name, size, complete }: TextdumpMember): Problem[] {
  if (complete) return [];
  const what = TEXTDUMP_MEMBERS.includes(name) ? name : "a member";
  return [problem("textdump-truncated", `The textdump ends inside ${what}, which has ${size} bytes`)];
}

/** Octal digits, padded with spaces or not, ended by NUL or space; `null` if it is something else. */
function readOctal(block: Uint8Array, at: number, length: number): number | null {
  const digits = /^ *([0-7]{1,12}) *$/.exec(readString(block, at, length))?.[1];
  return digits === undefined ? null : parseInt(digits, 8);
}

function readString(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const nul = field.indexOf(0);
  return new TextDecoder("latin1").decode(nul < 0 ? field : field.subarray(0, nul));
}
