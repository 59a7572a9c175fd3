/**
 * From the operator's RSA private key to the one-time key of a dump (reference kernel-dump-formats.md, section 7.2).
 * Nothing here ever reaches a log: errors name files and formats, never contents.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { constants, createDecipheriv, createHash, createPrivateKey, privateDecrypt } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { KernelDumpKey } from "../../kerneldump/files/key.ts";
import { SESSION_KEY_BYTES } from "./decrypt.ts";

/** An RSA private key in the form that every Deno decrypts with. */
export interface PrivateKey {
  readonly pem: string;
  readonly bits: number;
}

/** Why a private key cannot be read. */
export class PrivateKeyError extends Error {
  override readonly name = "PrivateKeyError";
}

/** Tells whether a PEM file asks for a passphrase: PKCS#8's own kind, or OpenSSL's older one. */
export function needsPassphrase(pem: string): boolean {
  return pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----") || LEGACY_ENCRYPTION.test(pem);
}

const LEGACY_ENCRYPTION = /^DEK-Info: *([A-Z0-9-]+),([0-9A-Fa-f]+)\s*$/m;

/**
 * Reads an RSA private key, PKCS#1 or PKCS#8, plain or encrypted.
 *
 * @param passphrase asked for if {@linkcode needsPassphrase} says so
 * @throws {PrivateKeyError} if it is none, the passphrase is wrong, or it is protected in a way not supported
 */
export function readPrivateKey(pem: string, passphrase?: string): PrivateKey {
  if (!/-----BEGIN (?:RSA |ENCRYPTED )?PRIVATE KEY-----/.test(pem)) {
    const hint = /-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(pem) ? ": this is the public one" : "";
    throw new PrivateKeyError(`it holds no RSA private key in PEM form${hint}`);
  }
  const key = openPrivateKey(pem, passphrase);
  if (key.asymmetricKeyType !== "rsa") {
    throw new PrivateKeyError(`it holds a key of type ${key.asymmetricKeyType}, expected RSA`);
  }
  return {
    // Deno 2.4 decrypts with keys in PEM form only.
    pem: key.export({ type: "pkcs8", format: "pem" }).toString(),
    bits: key.asymmetricKeyDetails?.modulusLength ?? 0,
  };
}

function openPrivateKey(pem: string, passphrase: string | undefined): KeyObject {
  if (!needsPassphrase(pem)) {
    return createKey({ key: pem }, "it is damaged, or of a kind that this Deno cannot read");
  }
  const wrong = "the passphrase is wrong, or it is protected in a way that this Deno cannot read: " +
    'if the passphrase is right, rewrite it with "openssl pkcs8 -topk8"';
  const legacy = decryptLegacy(pem, passphrase ?? "");
  if (legacy !== undefined) return createKey({ key: legacy, format: "der", type: "pkcs1" }, wrong);
  return createKey({ key: pem, passphrase: passphrase ?? "" }, wrong);
}

function createKey(
  input: Exclude<Parameters<typeof createPrivateKey>[0], string>,
  problem: string,
): KeyObject {
  try {
    return createPrivateKey(input);
  } catch {
    // The library's own words may quote what it read.
    throw new PrivateKeyError(problem);
  }
}

const LEGACY_KEY_BYTES: Readonly<Record<string, number>> = { "AES-128-CBC": 16, "AES-256-CBC": 32 };

/** Decrypts what OpenSSL before 3.0 wrote (`openssl genrsa -aes256`), which Deno 2.4 cannot; `undefined` if it is not that. */
function decryptLegacy(pem: string, passphrase: string): Buffer | undefined {
  const [, name = "", ivHex = ""] = LEGACY_ENCRYPTION.exec(pem) ?? [];
  const keyBytes = LEGACY_KEY_BYTES[name];
  if (keyBytes === undefined || ivHex.length !== 32) return undefined;
  const iv = Buffer.from(ivHex, "hex");
  // The body stands between the empty line behind the headers and the last line.
  const text = pem.replaceAll("\r\n", "\n");
  const start = text.indexOf("\n\n");
  const body = start < 0 ? "" : text.slice(start, text.indexOf("-----END", start));
  // EVP_BytesToKey: MD5 over the passphrase and half of the vector, until it is long enough.
  let key = Buffer.alloc(0);
  while (key.byteLength < keyBytes) {
    const hash = createHash("md5").update(key.subarray(-16)).update(passphrase).update(iv.subarray(0, 8));
    key = Buffer.concat([key, hash.digest()]);
  }
  try {
    const decipher = createDecipheriv(name.toLowerCase(), key.subarray(0, keyBytes), iv);
    return Buffer.concat([decipher.update(Buffer.from(body, "base64")), decipher.final()]);
  } catch {
    throw new PrivateKeyError("the passphrase is wrong");
  }
}

/** What the private key made of a dump's key. */
export type SessionKey =
  | { readonly kind: "found"; readonly key: Uint8Array; readonly padding: "OAEP" | "PKCS#1 v1.5" }
  | { readonly kind: "wrong-key"; readonly reason: string };

/**
 * Decrypts the one-time key of a dump: OAEP as written since FreeBSD 13, then PKCS#1 v1.5 as written by 12. With a
 * wrong key the latter may come out as noise of any length, so that exactly 64 bytes are insisted on; that 64 bytes
 * came out does not yet prove the key right: the plain dump must make sense too.
 */
export function decryptSessionKey(privateKey: PrivateKey, key: KernelDumpKey): SessionKey {
  const keyBits = key.encryptedKey.byteLength * 8;
  if (Math.ceil(privateKey.bits / 8) * 8 !== keyBits) {
    return {
      kind: "wrong-key",
      reason: `it has ${privateKey.bits} bits, the dump's key was made for one of ${keyBits}`,
    };
  }
  const paddings = [
    ["OAEP", { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" }],
    ["PKCS#1 v1.5", { padding: constants.RSA_PKCS1_PADDING }],
  ] as const;
  for (const [padding, options] of paddings) {
    try {
      const plain = privateDecrypt({ key: privateKey.pem, ...options }, key.encryptedKey);
      if (plain.byteLength === SESSION_KEY_BYTES) {
        return { kind: "found", key: new Uint8Array(plain), padding };
      }
    } catch {
      // Not this padding, or not this key.
    }
  }
  return { kind: "wrong-key", reason: "the dump's key was made for another one" };
}
