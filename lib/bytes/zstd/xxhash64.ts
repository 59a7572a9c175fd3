/**
 * XXH64 with seed 0, the checksum of zstd frames (RFC 8878, section 3.1.1). 64-bit words are pairs of 32-bit
 * integers: BigInt would be twenty times slower.
 *
 * @module
 */

type Word = readonly [high: number, low: number];

const PRIME_1: Word = [0x9e3779b1, 0x85ebca87];
const PRIME_2: Word = [0xc2b2ae3d, 0x27d4eb4f];
const PRIME_3: Word = [0x165667b1, 0x9e3779f9];
const PRIME_4: Word = [0x85ebca77, 0xc2b2ae63];
const PRIME_5: Word = [0x27d4eb2f, 0x165667c5];

const STRIPE = 32;

/** A running XXH64. */
export class XxHash64 {
  /** Four lanes, each high and low. */
  readonly #lanes = new Int32Array(8);
  readonly #rest = new Uint8Array(STRIPE);
  #restBytes = 0;
  #total = 0;

  constructor() {
    const lanes = [add(PRIME_1, PRIME_2), PRIME_2, [0, 0] as Word, subtract([0, 0], PRIME_1)];
    this.#lanes.set(lanes.flat());
  }

  /** Takes in the next bytes. */
  update(bytes: Uint8Array): void {
    this.#total += bytes.byteLength;
    let at = 0;
    if (this.#restBytes > 0) {
      at = Math.min(STRIPE - this.#restBytes, bytes.byteLength);
      this.#rest.set(bytes.subarray(0, at), this.#restBytes);
      this.#restBytes += at;
      if (this.#restBytes < STRIPE) return;
      consumeStripes(this.#lanes, this.#rest);
    }
    const whole = (bytes.byteLength - at) - (bytes.byteLength - at) % STRIPE;
    consumeStripes(this.#lanes, bytes.subarray(at, at + whole));
    this.#rest.set(bytes.subarray(at + whole));
    this.#restBytes = bytes.byteLength - at - whole;
  }

  /** The low 32 bits of the hash of all bytes so far, as a frame stores them. */
  low32(): number {
    let hash: Word = PRIME_5;
    if (this.#total >= STRIPE) {
      const lanes = [0, 2, 4, 6].map((i): Word => [this.#lanes[i]!, this.#lanes[i + 1]!]);
      hash = [1, 7, 12, 18].map((bits, i) => rotateLeft(lanes[i]!, bits)).reduce(add);
      for (const lane of lanes) {
        hash = add(multiply(exclusiveOr(hash, round([0, 0], lane)), PRIME_1), PRIME_4);
      }
    }
    hash = add(hash, [Math.floor(this.#total / 2 ** 32), this.#total | 0]);
    hash = this.#consumeRest(hash);
    hash = multiply(exclusiveOr(hash, shiftRight(hash, 33)), PRIME_2);
    hash = multiply(exclusiveOr(hash, shiftRight(hash, 29)), PRIME_3);
    hash = exclusiveOr(hash, shiftRight(hash, 32));
    return hash[1] >>> 0;
  }

  #consumeRest(start: Word): Word {
    const view = new DataView(this.#rest.buffer);
    let hash = start;
    let at = 0;
    for (; at + 8 <= this.#restBytes; at += 8) {
      const lane = round([0, 0], [view.getInt32(at + 4, true), view.getInt32(at, true)]);
      hash = add(multiply(rotateLeft(exclusiveOr(hash, lane), 27), PRIME_1), PRIME_4);
    }
    if (at + 4 <= this.#restBytes) {
      hash = exclusiveOr(hash, multiply([0, view.getInt32(at, true)], PRIME_1));
      hash = add(multiply(rotateLeft(hash, 23), PRIME_2), PRIME_3);
      at += 4;
    }
    for (; at < this.#restBytes; at++) {
      hash = exclusiveOr(hash, multiply([0, this.#rest[at]!], PRIME_5));
      hash = multiply(rotateLeft(hash, 11), PRIME_1);
    }
    return hash;
  }
}

/** The hot loop: `lane = rotateLeft(lane + input * PRIME_2, 31) * PRIME_1`, spelled out to allocate nothing. */
function consumeStripes(lanes: Int32Array, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; at += 8) {
    const lane = at >> 2 & 6;
    const inputLow = view.getInt32(at, true);
    const inputHigh = view.getInt32(at + 4, true);
    const productLow = Math.imul(inputLow, PRIME_2[1]);
    const productHigh = (highProduct(inputLow, PRIME_2[1]) + Math.imul(inputHigh, PRIME_2[1]) +
      Math.imul(inputLow, PRIME_2[0])) | 0;
    const sumLow = (lanes[lane + 1]! + productLow) | 0;
    const carry = (sumLow >>> 0) < (productLow >>> 0) ? 1 : 0;
    const sumHigh = (lanes[lane]! + productHigh + carry) | 0;
    const turnedHigh = sumHigh << 31 | sumLow >>> 1;
    const turnedLow = sumLow << 31 | sumHigh >>> 1;
    lanes[lane + 1] = Math.imul(turnedLow, PRIME_1[1]);
    lanes[lane] = highProduct(turnedLow, PRIME_1[1]) + Math.imul(turnedHigh, PRIME_1[1]) +
      Math.imul(turnedLow, PRIME_1[0]);
  }
}

/** The upper half of the 64-bit product of two unsigned 32-bit integers. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = Math.imul(aHigh, bLow) >>> 0;
  const other = Math.imul(aLow, bHigh) >>> 0;
  const carry = (Math.imul(aLow, bLow) >>> 16) + (middle & 0xffff) + (other & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (other >>> 16) + (carry >>> 16)) | 0;
}

function round(lane: Word, input: Word): Word {
  return multiply(rotateLeft(add(lane, multiply(input, PRIME_2)), 31), PRIME_1);
}

function add(a: Word, b: Word): Word {
  const low = (a[1] + b[1]) | 0;
  return [(a[0] + b[0] + ((low >>> 0) < (b[1] >>> 0) ? 1 : 0)) | 0, low];
}

function subtract(a: Word, b: Word): Word {
  return add(a, add([~b[0], ~b[1]], [0, 1]));
}

function multiply(a: Word, b: Word): Word {
  const high = highProduct(a[1], b[1]) + Math.imul(a[0], b[1]) + Math.imul(a[1], b[0]);
  return [high | 0, Math.imul(a[1], b[1])];
}

function exclusiveOr(a: Word, b: Word): Word {
  return [a[0] ^ b[0], a[1] ^ b[1]];
}

/** @param bits 1 to 31 */
function rotateLeft(a: Word, bits: number): Word {
  return [a[0] << bits | a[1] >>> (32 - bits), a[1] << bits | a[0] >>> (32 - bits)];
}

/** @param bits 29, 32 or 33 */
function shiftRight(a: Word, bits: number): Word {
  if (bits >= 32) return [0, a[0] >>> (bits - 32)];
  return [a[0] >>> bits, a[0] << (32 - bits) | a[1] >>> bits];
}
