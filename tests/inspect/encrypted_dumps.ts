/** Encrypted dumps and RSA keys, made by openssl alone: nothing here is shared with the program. */

import { concatenate } from "../kerneldump/synthetic.ts";
import { openssl } from "./tools.ts";

/** The 64 random bytes that RSA carries, here not random. */
export const SESSION_KEY = Uint8Array.from({ length: 64 }, (_, i) => i);
const IV = Uint8Array.from({ length: 32 }, (_, i) => 0xa0 + i);

/** An RSA key in the forms that people have. */
export interface KeyPair {
  readonly directory: string;
  /** PKCS#8. */
  readonly pem: string;
  readonly publicPath: string;
}

/** Makes an RSA key pair in a directory. */
export async function makeKeyPair(directory: string, name = "private", bits = 2048): Promise<KeyPair> {
  const path = `${directory}/${name}.pem`;
  await openssl(["genpkey", "-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${bits}`, "-out", path]);
  const publicPath = `${directory}/${name}.public.pem`;
  await openssl(["pkey", "-in", path, "-pubout", "-out", publicPath]);
  return { directory, pem: path, publicPath };
}

/** Encrypts a dump as the kernel does, and its key as dumpon does: 13 and later with OAEP, 12 with PKCS#1 v1.5. */
export async function encryptDump(
  plain: Uint8Array,
  cipher: "aes-256-cbc" | "chacha20",
  padding: "oaep" | "pkcs1",
  publicPath: string,
): Promise<{ encrypted: Uint8Array; key: Uint8Array<ArrayBuffer> }> {
  const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const vector = cipher === "aes-256-cbc" ? hex(IV.subarray(0, 16)) : "0".repeat(16) + hex(IV.subarray(0, 8));
  const args = ["enc", "-e", `-${cipher}`, "-nopad", "-K", hex(SESSION_KEY.subarray(0, 32)), "-iv", vector];
  const rsa = await openssl(
    ["pkeyutl", "-encrypt", "-pubin", "-inkey", publicPath, "-pkeyopt", `rsa_padding_mode:${padding}`],
    SESSION_KEY,
  );
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, rsa.byteLength);
  const head = concatenate([Uint8Array.of(cipher === "aes-256-cbc" ? 1 : 2), IV, size, rsa]);
  const key = new Uint8Array(Math.ceil(head.byteLength / 4096) * 4096);
  key.set(head);
  return { encrypted: await openssl(args, plain), key };
}
