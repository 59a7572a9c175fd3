/** Memory of a kernel that a test writes. */

import type { Memory } from "../../lib/kerneldump/memory.ts";

const PAGE = 4096n;

/** Memory of some pages, zeros but for what is written. */
export class Written {
  readonly pages = new Map<bigint, Uint8Array>();

  write(address: bigint, bytes: Uint8Array): void {
    for (const [i, byte] of bytes.entries()) {
      const at = address + BigInt(i);
      const page = this.pages.get(at / PAGE) ?? new Uint8Array(4096);
      this.pages.set(at / PAGE, page);
      page[Number(at % PAGE)] = byte;
    }
  }

  word(address: bigint, value: bigint, size: 4 | 8 = 8): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    this.write(address, bytes.subarray(0, size));
  }

  memory(): Memory {
    const { pages } = this;
    const read = async function* (address: bigint, length: number) {
      await Promise.resolve();
      const page = pages.get(address / PAGE);
      const inside = Number(address % PAGE);
      if (page === undefined) {
        yield { address, length, physicalAddress: null, bytes: null, missing: "not written" };
        return;
      }
      const bytes = page.subarray(inside, inside + length);
      yield { address, length: bytes.byteLength, physicalAddress: 0n, bytes, fileOffset: 0 };
    };
    return { addressBits: 64, readPhysical: read, readVirtual: read };
  }
}
