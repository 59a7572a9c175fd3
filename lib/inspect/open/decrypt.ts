/**
 * Looks through the encryption of a dump: both ciphers can start anywhere in the file (reference
 * kernel-dump-formats.md, section 7.3).
 *
 * @module
 */

import { createDecipheriv } from "node:crypto";
import type { Cipher, KernelDumpKey } from "../../kerneldump/files/key.ts";
import { ChaCha20 } from "../../bytes/chacha20.ts";
import type { Source } from "../../bytes/source.ts";

/** Bytes of the one-time key that RSA carries; the cipher's key is the first half (section 7.2). */
export const SESSION_KEY_BYTES = 64;
const CIPHER_KEY_BYTES = 32;
const CBC_BLOCK = 16;
const CHACHA20_NONCE_BYTES = 8;

/**
 * The plain bytes of an encrypted source.
 *
 * @param sessionKey the 64 bytes that the private key gave for `key`
 */
export function decryptSource(source: Source, key: KernelDumpKey, sessionKey: Uint8Array): Source {
  const decrypt = DECRYPTORS[key.cipher](source, sessionKey.subarray(0, CIPHER_KEY_BYTES), key.iv);
  return {
    size: source.size,
    randomAccess: source.randomAccess,
    read: decrypt,
    close: () => source.close(),
  };
}

type Read = Source["read"];

const DECRYPTORS: Readonly<Record<Cipher, (source: Source, key: Uint8Array, iv: Uint8Array) => Read>> = {
  "aes-256-cbc": (source, key, iv) => async (offset, length) => {
    // Whole blocks, and one before them: its ciphertext is the initialization vector.
    const first = offset - offset % CBC_BLOCK;
    const from = Math.max(0, first - CBC_BLOCK);
    const end = Math.ceil((offset + length) / CBC_BLOCK) * CBC_BLOCK;
    const encrypted = await source.read(from, end - from);
    const vector = first === 0 ? iv.subarray(0, CBC_BLOCK) : encrypted.subarray(0, CBC_BLOCK);
    // A block cut short at the end of a truncated file cannot be decrypted.
    const whole = encrypted.subarray(first - from, encrypted.byteLength - encrypted.byteLength % CBC_BLOCK);
    if (vector.byteLength < CBC_BLOCK || whole.byteLength === 0) return new Uint8Array(0);
    return decryptBlocks(key, vector, whole).subarray(offset - first, offset - first + length);
  },
  "chacha20": (source, key, iv) => {
    const cipher = new ChaCha20(key, iv.subarray(0, CHACHA20_NONCE_BYTES));
    return async (offset, length) => {
      const bytes = await source.read(offset, length);
      const plain = bytes.slice();
      cipher.apply(plain, offset);
      return plain;
    };
  },
};

function decryptBlocks(key: Uint8Array, vector: Uint8Array, encrypted: Uint8Array): Uint8Array {
  const decipher = createDecipheriv("aes-256-cbc", key, vector);
  decipher.setAutoPadding(false);
  const head = decipher.update(encrypted);
  const tail = decipher.final();
  const plain = new Uint8Array(head.byteLength + tail.byteLength);
  plain.set(head);
  plain.set(tail, head.byteLength);
  return plain;
}
