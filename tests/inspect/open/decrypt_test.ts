import { assertEquals } from "@std/assert";
import { ChaCha20 } from "../../../lib/bytes/chacha20.ts";
import { decryptSource } from "../../../lib/inspect/open/decrypt.ts";
import type { Source } from "../../../lib/bytes/source.ts";
import type { Cipher } from "../../../lib/kerneldump/files/key.ts";
import { seededRandom, unhex } from "../../helpers.ts";
import { memorySource } from "../../bytes/memory_source.ts";
import { openssl, withoutOpenssl } from "../tools.ts";

const SESSION_KEY = Uint8Array.from({ length: 64 }, (_, i) => i);
const IV = Uint8Array.from({ length: 32 }, (_, i) => 0xa0 + i);
const PLAIN = new Uint8Array(64);
new TextEncoder().encodeInto("minidump FreeBSD/amd64", PLAIN);

/** The vectors of reference kernel-dump-formats.md 7.4, made with OpenSSL. */
const VECTORS: Readonly<Record<Cipher, Uint8Array>> = {
  "aes-256-cbc": unhex(
    "0445a96d603d8bfbada0c91298f2089a9d3145830f1a97ad13ed150e74ee2fe1" +
      "4852c80a1c1a433bff852f3f744aa4b6292be1a37bd9d7d5a800bdf2e589f05c",
  ),
  chacha20: unhex(
    "fdada27a4764fc832946598174c6ebf81ac7dfca16504e47d53d48c895c3fa7c" +
      "a0d6e0766d5353c07d0798d02dfc98f0edfdaf11ba5977731a3a301860987f1a",
  ),
};

function decrypted(cipher: Cipher, encrypted: Uint8Array): Source {
  return decryptSource(
    memorySource(encrypted),
    { cipher, iv: IV, encryptedKey: new Uint8Array(256) },
    SESSION_KEY,
  );
}

for (const [cipher, encrypted] of Object.entries(VECTORS) as [Cipher, Uint8Array][]) {
  Deno.test(`decryptSource() decrypts the reference's ${cipher} vector from any offset`, async () => {
    const source = decrypted(cipher, encrypted);
    assertEquals([source.size, source.randomAccess], [64, true]);
    for (let offset = 0; offset <= 65; offset++) {
      for (let length = 0; length <= 66; length++) {
        assertEquals(await source.read(offset, length), PLAIN.slice(offset, offset + length));
      }
    }
  });
}

Deno.test("decryptSource() leaves out the AES block that the end of a truncated file cut", async () => {
  const source = decrypted("aes-256-cbc", VECTORS["aes-256-cbc"].subarray(0, 50));
  assertEquals(await source.read(0, 64), PLAIN.subarray(0, 48));
  assertEquals(await source.read(49, 5), new Uint8Array(0));
});

Deno.test("ChaCha20 counts its blocks in 64 bits", () => {
  // The block behind 2^32 blocks is made with a carry into the upper half: it equals no block with the carry lost.
  const cipher = new ChaCha20(SESSION_KEY.subarray(0, 32), IV.subarray(0, 8));
  const [first, wrapped] = [new Uint8Array(64), new Uint8Array(64)];
  cipher.apply(first, 0);
  cipher.apply(wrapped, 64 * 2 ** 32);
  assertEquals(first.some((byte, i) => byte !== wrapped[i]), true);
});

Deno.test({
  name: `decryptSource() agrees with openssl on long dumps at random places${withoutOpenssl}`,
  ignore: withoutOpenssl !== "",
  fn: async () => {
    const random = seededRandom(5);
    const plain = Uint8Array.from({ length: 3 * 65536 }, () => random() * 256);
    const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const arguments_: Readonly<Record<Cipher, string[]>> = {
      "aes-256-cbc": ["-aes-256-cbc", "-nopad", "-iv", "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"],
      chacha20: ["-chacha20", "-iv", "0000000000000000a0a1a2a3a4a5a6a7"],
    };
    for (const cipher of ["aes-256-cbc", "chacha20"] as const) {
      const encrypted = await openssl(["enc", "-e", "-K", key, ...arguments_[cipher]], plain);
      const source = decrypted(cipher, encrypted);
      for (let i = 0; i < 50; i++) {
        const offset = Math.floor(random() * plain.byteLength);
        const length = Math.floor(random() * 5000);
        assertEquals(await source.read(offset, length), plain.slice(offset, offset + length));
      }
    }
  },
});
