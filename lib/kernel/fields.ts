/**
 * Members of the kernel's structs by name, where types tell their place.
 *
 * @module
 */

import type { KernelMemory } from "./kernel_memory.ts";
import { findMember, sizeOfType, type StructType, type Types } from "./types.ts";

/** Reads members of one struct out of memory. What has no such member, or is not in the dump, is `null`. */
export class Fields {
  readonly #struct: StructType | null;
  readonly #memory: KernelMemory;

  private constructor(struct: StructType | null, memory: KernelMemory) {
    this.#struct = struct;
    this.#memory = memory;
  }

  /** Looks a struct up. */
  static async of(types: Types, name: string, memory: KernelMemory): Promise<Fields> {
    return new Fields(await types.struct(name), memory);
  }

  /** An integer or pointer, unsigned; bit fields are not read. */
  async number(address: bigint, member: string): Promise<bigint | null> {
    const found = this.#struct === null ? null : findMember(this.#struct, member);
    const size = found === null || found.bitSize !== null ? null : sizeOfType(found.type);
    if (found === null || size === null || size > 8 || found.bitOffset % 8 !== 0) return null;
    const bytes = await this.#memory.read(address + BigInt(found.bitOffset / 8), size);
    if (bytes === null) return null;
    const ordered = this.#memory.format.littleEndian ? [...bytes].reverse() : [...bytes];
    return ordered.reduce((value, byte) => value << 8n | BigInt(byte), 0n);
  }

  /** The string that a member points to, at most `limit` bytes of it. */
  async string(address: bigint, member: string, limit: number): Promise<string | null> {
    const pointer = await this.number(address, member);
    return pointer === null || pointer === 0n ? null : await this.#memory.string(pointer, limit);
  }

  /** Where a member lies in the struct, in bytes. */
  offset(member: string): bigint | null {
    const found = this.#struct === null ? null : findMember(this.#struct, member);
    return found === null ? null : BigInt(Math.floor(found.bitOffset / 8));
  }
}
