/**
 * Memory as people read it: addresses, bytes in hex, characters.
 *
 * @module
 */

import type { MemoryPiece } from "../../kerneldump/memory.ts";

const ROW_BYTES = 16;

/**
 * Formats pieces of memory line by line, as hexdump -C does: equal rows are left out behind a `*`. Where nothing follows
 * them, the address behind the last byte does.
 */
export async function* formatHexDump(
  pieces: AsyncIterable<MemoryPiece>,
  addressBits: 32 | 64,
): AsyncGenerator<string> {
  const hex = (value: bigint | number) => value.toString(16).padStart(addressBits / 4, "0");
  let next: { readonly physicalAddress: bigint | null; readonly fileOffset: number } | undefined;
  let previous: string | undefined;
  let leftOut = false;
  let end = 0n;
  for await (const piece of pieces) {
    if (piece.bytes === null) {
      yield `${hex(piece.address)}  ${piece.length} bytes are not there: ${piece.missing}\n`;
      next = previous = undefined;
      leftOut = false;
      continue;
    }
    const { physicalAddress, fileOffset } = piece;
    end = piece.address + BigInt(piece.length);
    if (next === undefined || next.physicalAddress !== physicalAddress || next.fileOffset !== fileOffset) {
      const physical = physicalAddress === null || physicalAddress === piece.address
        ? ""
        : `physical address 0x${physicalAddress.toString(16)}, `;
      yield `# ${physical}offset 0x${fileOffset.toString(16)} in the dump\n`;
      previous = undefined;
    }
    next = {
      physicalAddress: physicalAddress === null ? null : physicalAddress + BigInt(piece.length),
      fileOffset: fileOffset + piece.length,
    };
    for (const row of rowsOf(piece.address, piece.bytes)) {
      if (row.bytes.byteLength === ROW_BYTES && row.text === previous) {
        if (!leftOut) yield "*\n";
        leftOut = true;
        continue;
      }
      leftOut = false;
      previous = row.text;
      yield `${hex(row.address)}  ${row.text}\n`;
    }
  }
  if (leftOut) yield `${hex(end)}\n`;
}

interface Row {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Rows begin at multiples of 16, but for the first. */
function* rowsOf(address: bigint, bytes: Uint8Array): Generator<Row> {
  for (let at = 0; at < bytes.byteLength;) {
    const rowAddress = address + BigInt(at);
    const skip = Number(rowAddress % BigInt(ROW_BYTES));
    const row = bytes.subarray(at, at + ROW_BYTES - skip);
    yield { address: rowAddress, bytes: row, text: formatRow(row, skip) };
    at += row.byteLength;
  }
}

function formatRow(bytes: Uint8Array, skip: number): string {
  const cells = Array.from({ length: ROW_BYTES }, (_, column) => {
    const byte = bytes[column - skip];
    return byte === undefined ? "  " : byte.toString(16).padStart(2, "0");
  });
  const characters = Array.from({ length: ROW_BYTES }, (_, column) => {
    const byte = bytes[column - skip];
    if (byte === undefined) return " ";
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  });
  const half = ROW_BYTES / 2;
  return `${cells.slice(0, half).join(" ")}  ${cells.slice(half).join(" ")}  |${characters.join("")}|`;
}
