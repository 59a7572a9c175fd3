/**
 * The key of an encrypted dump (`struct kerneldumpkey`, the file `key.<n>`): its cipher, its initialization vector and the one-time
 * key, itself encrypted with the operator's RSA key (reference kernel-dump-formats.md, section 7.1).
 *
 * @module
 */

/** How the kernel encrypted a dump (section 7.3). */
export type Cipher = "aes-256-cbc" | "chacha20";

/** A decoded key block. */
export interface KernelDumpKey {
  readonly cipher: Cipher;
  /** 32 bytes, of which AES-256-CBC uses the first 16 and ChaCha20 the first 8. */
  readonly iv: Uint8Array;
  /** The RSA ciphertext, as long as the RSA modulus. */
  readonly encryptedKey: Uint8Array;
}

/** Bytes before the encrypted key. */
const KEY_PREFIX_SIZE = 37;
/** The largest encrypted key, that of a 16,384-bit RSA key (section 1.5). */
export const MAX_ENCRYPTED_KEY_SIZE = 2048;

const CIPHERS: readonly (Cipher | undefined)[] = [undefined, "aes-256-cbc", "chacha20"];
const IV = [1, 33] as const;
const ENCRYPTED_KEY_SIZE = 33;
/** The smallest modulus that can carry the 64-byte key with PKCS#1 v1.5 padding, rounded up to a usual size. */
const MIN_LIKELY_KEY_SIZE = 96;
const BLOCK_SIZE = 512;

/**
 * Decodes a key block; padding behind the encrypted key is ignored.
 *
 * @throws {SyntaxError} if it is cut short, the cipher is unknown or the size of the encrypted key is impossible
 */
export function decodeKernelDumpKey(bytes: Uint8Array): KernelDumpKey {
  if (bytes.byteLength < KEY_PREFIX_SIZE) {
    throw new SyntaxError(
      `Cannot read dump key: ${bytes.byteLength} bytes, expected more than ${KEY_PREFIX_SIZE}`,
    );
  }
  const cipher = CIPHERS[bytes[0] ?? 0];
  if (cipher === undefined) {
    throw new SyntaxError(
      `Cannot read dump key: cipher ${bytes[0]}, expected 1 (AES-256-CBC) or 2 (ChaCha20)`,
    );
  }
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(ENCRYPTED_KEY_SIZE);
  if (size === 0 || size > MAX_ENCRYPTED_KEY_SIZE) {
    throw new SyntaxError(
      `Cannot read dump key: encrypted key of ${size} bytes, expected 1 to ${MAX_ENCRYPTED_KEY_SIZE}`,
    );
  }
  if (KEY_PREFIX_SIZE + size > bytes.byteLength) {
    throw new SyntaxError(
      `Cannot read dump key: it ends after ${bytes.byteLength} bytes, expected ${KEY_PREFIX_SIZE + size}`,
    );
  }
  return {
    cipher,
    iv: bytes.slice(...IV),
    encryptedKey: bytes.slice(KEY_PREFIX_SIZE, KEY_PREFIX_SIZE + size),
  };
}

/** Encodes a key block, padded with zeros to a multiple of `blockSize` bytes, as the kernel does. */
export function encodeKernelDumpKey(key: KernelDumpKey, blockSize = BLOCK_SIZE): Uint8Array<ArrayBuffer> {
  const size = KEY_PREFIX_SIZE + key.encryptedKey.byteLength;
  const bytes = new Uint8Array(Math.ceil(size / blockSize) * blockSize);
  bytes[0] = CIPHERS.indexOf(key.cipher);
  bytes.set(key.iv.subarray(0, IV[1] - IV[0]), IV[0]);
  new DataView(bytes.buffer).setUint32(ENCRYPTED_KEY_SIZE, key.encryptedKey.byteLength);
  bytes.set(key.encryptedKey, KEY_PREFIX_SIZE);
  return bytes;
}

/**
 * Tells whether a whole file, given in full, is a key block: there is no magic, so every field must be likely and the padding zero.
 */
export function looksLikeKey(bytes: Uint8Array): boolean {
  if (bytes.byteLength === 0 || bytes.byteLength % BLOCK_SIZE !== 0) return false;
  try {
    const { encryptedKey, iv } = decodeKernelDumpKey(bytes);
    const end = KEY_PREFIX_SIZE + encryptedKey.byteLength;
    return encryptedKey.byteLength >= MIN_LIKELY_KEY_SIZE && encryptedKey.byteLength % 8 === 0 &&
      iv.some((byte) => byte !== 0) && bytes.subarray(end).every((byte) => byte === 0);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
