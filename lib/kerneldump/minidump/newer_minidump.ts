/**
 * What can be told of a minidump whose version or architecture is newer than what this program knows: magic, version
 * and the size of the message buffer have stood in the same places in every version (reference
 * kernel-dump-formats.md, section 3.2).
 *
 * @module
 */

import {
  hasMinidumpMagic,
  isMinidumpArchitecture,
  MINIDUMP_HEADER_SIZE,
  MINIDUMP_MAGIC,
  newestMinidumpVersion,
  versionOffsetOf,
} from "./minidump.ts";

/** What all versions have in common. */
export interface NewerMinidump {
  /** As the magic names it: letters, digits, `_` and `-`. */
  readonly architecture: string;
  /** Whether versions of this architecture are known, only not this one. */
  readonly architectureKnown: boolean;
  readonly version: number;
  /** The newest version of the architecture that is known; `null` if none is. */
  readonly newestKnown: number | null;
  readonly littleEndian: boolean;
  readonly messageBufferSize: number;
}

/** Where the longest magic ends, powerpc64's. */
const LONGEST_MAGIC = 32;
/** A version that no kernel will reach for long is damage. */
const HIGHEST_VERSION = 255;
/** Where the version stands on every architecture but powerpc64. */
const USUAL_VERSION_OFFSET = 24;

/**
 * Decodes the beginning of a minidump that `decodeMinidump` refuses.
 *
 * @param bytes the first 144 bytes of the dump, or more
 * @returns `undefined` if it is known, or damaged rather than new
 */
export function decodeNewerMinidump(bytes: Uint8Array): NewerMinidump | undefined {
  if (bytes.byteLength < MINIDUMP_HEADER_SIZE || !hasMinidumpMagic(bytes)) return undefined;
  const architecture = architectureOf(bytes);
  if (!/^[A-Za-z0-9_-]+$/.test(architecture)) return undefined;
  const architectureKnown = isMinidumpArchitecture(architecture);
  const versionOffset = architectureKnown ? versionOffsetOf(architecture) : USUAL_VERSION_OFFSET;
  const newestKnown = architectureKnown ? newestMinidumpVersion(architecture) : null;
  const littleEndian = bytes[versionOffset] !== 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, MINIDUMP_HEADER_SIZE);
  const version = view.getUint32(versionOffset, littleEndian);
  if (version <= (newestKnown ?? 0) || version > HIGHEST_VERSION) return undefined;
  const messageBufferSize = view.getUint32(versionOffset + 4, littleEndian);
  return { architecture, architectureKnown, version, newestKnown, littleEndian, messageBufferSize };
}

/** A name may reach up to the version. */
function architectureOf(bytes: Uint8Array): string {
  const upTo = (end: number) => {
    const name = bytes.subarray(MINIDUMP_MAGIC.length, end);
    const nul = name.indexOf(0);
    return String.fromCharCode(...nul < 0 ? name : name.subarray(0, nul));
  };
  const long = upTo(LONGEST_MAGIC);
  return isMinidumpArchitecture(long) ? long : upTo(USUAL_VERSION_OFFSET);
}
