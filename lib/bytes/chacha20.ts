/**
 * ChaCha20 in its original form, with a 64-bit block counter and a 64-bit nonce, as the FreeBSD kernel uses it
 * (reference kernel-dump-formats.md, section 7.3). Written out here because node:crypto has it only in newer Denos.
 *
 * @module
 */

const BLOCK_SIZE = 64;
const ROUNDS = 20;
/** "expand 32-byte k" */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

/** A ChaCha20 key stream that can start anywhere. */
export class ChaCha20 {
  readonly #state = new Int32Array(16);
  /** Words in host order: every machine that Deno runs on is little-endian, as ChaCha20 is. */
  readonly #keyStream = new Int32Array(16);
  readonly #keyStreamBytes = new Uint8Array(this.#keyStream.buffer);

  /**
   * @param key 32 bytes
   * @param nonce 8 bytes
   */
  constructor(key: Uint8Array, nonce: Uint8Array) {
    this.#state.set(CONSTANTS, 0);
    this.#state.set(littleEndianWords(key, 8), 4);
    this.#state.set(littleEndianWords(nonce, 2), 14);
  }

  /** Encrypts or decrypts bytes in place that stand at `offset` of the stream. */
  apply(bytes: Uint8Array, offset: number): void {
    let skip = offset % BLOCK_SIZE;
    let counter = (offset - skip) / BLOCK_SIZE;
    for (let at = 0; at < bytes.byteLength; counter++) {
      this.#state[12] = counter | 0;
      this.#state[13] = Math.floor(counter / 2 ** 32);
      makeBlock(this.#state, this.#keyStream);
      const count = Math.min(BLOCK_SIZE - skip, bytes.byteLength - at);
      for (let i = 0; i < count; i++) bytes[at + i]! ^= this.#keyStreamBytes[skip + i]!;
      at += count;
      skip = 0;
    }
  }
}

/** One block of key stream. The state is in signed local variables because V8 is six times as fast with them. */
function makeBlock(state: Int32Array, keyStream: Int32Array): void {
  let x0 = state[0]!, x1 = state[1]!, x2 = state[2]!, x3 = state[3]!;
  let x4 = state[4]!, x5 = state[5]!, x6 = state[6]!, x7 = state[7]!;
  let x8 = state[8]!, x9 = state[9]!, x10 = state[10]!, x11 = state[11]!;
  let x12 = state[12]!, x13 = state[13]!, x14 = state[14]!, x15 = state[15]!;
  for (let round = 0; round < ROUNDS; round += 2) {
    // Columns, then diagonals.
    x0 = (x0 + x4) | 0, x12 = rotateLeft(x12 ^ x0, 16);
    x8 = (x8 + x12) | 0, x4 = rotateLeft(x4 ^ x8, 12);
    x0 = (x0 + x4) | 0, x12 = rotateLeft(x12 ^ x0, 8);
    x8 = (x8 + x12) | 0, x4 = rotateLeft(x4 ^ x8, 7);
    x1 = (x1 + x5) | 0, x13 = rotateLeft(x13 ^ x1, 16);
    x9 = (x9 + x13) | 0, x5 = rotateLeft(x5 ^ x9, 12);
    x1 = (x1 + x5) | 0, x13 = rotateLeft(x13 ^ x1, 8);
    x9 = (x9 + x13) | 0, x5 = rotateLeft(x5 ^ x9, 7);
    x2 = (x2 + x6) | 0, x14 = rotateLeft(x14 ^ x2, 16);
    x10 = (x10 + x14) | 0, x6 = rotateLeft(x6 ^ x10, 12);
    x2 = (x2 + x6) | 0, x14 = rotateLeft(x14 ^ x2, 8);
    x10 = (x10 + x14) | 0, x6 = rotateLeft(x6 ^ x10, 7);
    x3 = (x3 + x7) | 0, x15 = rotateLeft(x15 ^ x3, 16);
    x11 = (x11 + x15) | 0, x7 = rotateLeft(x7 ^ x11, 12);
    x3 = (x3 + x7) | 0, x15 = rotateLeft(x15 ^ x3, 8);
    x11 = (x11 + x15) | 0, x7 = rotateLeft(x7 ^ x11, 7);
    x0 = (x0 + x5) | 0, x15 = rotateLeft(x15 ^ x0, 16);
    x10 = (x10 + x15) | 0, x5 = rotateLeft(x5 ^ x10, 12);
    x0 = (x0 + x5) | 0, x15 = rotateLeft(x15 ^ x0, 8);
    x10 = (x10 + x15) | 0, x5 = rotateLeft(x5 ^ x10, 7);
    x1 = (x1 + x6) | 0, x12 = rotateLeft(x12 ^ x1, 16);
    x11 = (x11 + x12) | 0, x6 = rotateLeft(x6 ^ x11, 12);
    x1 = (x1 + x6) | 0, x12 = rotateLeft(x12 ^ x1, 8);
    x11 = (x11 + x12) | 0, x6 = rotateLeft(x6 ^ x11, 7);
    x2 = (x2 + x7) | 0, x13 = rotateLeft(x13 ^ x2, 16);
    x8 = (x8 + x13) | 0, x7 = rotateLeft(x7 ^ x8, 12);
    x2 = (x2 + x7) | 0, x13 = rotateLeft(x13 ^ x2, 8);
    x8 = (x8 + x13) | 0, x7 = rotateLeft(x7 ^ x8, 7);
    x3 = (x3 + x4) | 0, x14 = rotateLeft(x14 ^ x3, 16);
    x9 = (x9 + x14) | 0, x4 = rotateLeft(x4 ^ x9, 12);
    x3 = (x3 + x4) | 0, x14 = rotateLeft(x14 ^ x3, 8);
    x9 = (x9 + x14) | 0, x4 = rotateLeft(x4 ^ x9, 7);
  }
  keyStream[0] = x0 + state[0]!,
    keyStream[1] = x1 + state[1]!,
    keyStream[2] = x2 + state[2]!,
    keyStream[3] = x3 + state[3]!;
  keyStream[4] = x4 + state[4]!,
    keyStream[5] = x5 + state[5]!,
    keyStream[6] = x6 + state[6]!,
    keyStream[7] = x7 + state[7]!;
  keyStream[8] = x8 + state[8]!,
    keyStream[9] = x9 + state[9]!,
    keyStream[10] = x10 + state[10]!,
    keyStream[11] = x11 + state[11]!;
  keyStream[12] = x12 + state[12]!,
    keyStream[13] = x13 + state[13]!,
    keyStream[14] = x14 + state[14]!,
    keyStream[15] = x15 + state[15]!;
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function littleEndianWords(bytes: Uint8Array, count: number): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 4 * count);
  return Int32Array.from({ length: count }, (_, i) => view.getInt32(4 * i, true));
}
