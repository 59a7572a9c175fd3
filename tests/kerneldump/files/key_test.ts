import { assertEquals, assertThrows } from "@std/assert";
import {
  decodeKernelDumpKey,
  encodeKernelDumpKey,
  type KernelDumpKey,
  looksLikeKey,
} from "../../../lib/kerneldump/files/key.ts";

const IV = Uint8Array.from({ length: 32 }, (_, i) => 0xa0 + i);

function keyOf(cipher: KernelDumpKey["cipher"], size: number): KernelDumpKey {
  return { cipher, iv: IV, encryptedKey: Uint8Array.from({ length: size }, (_, i) => i % 251 + 1) };
}

Deno.test("encodeKernelDumpKey() and decodeKernelDumpKey() agree on every size the kernel writes", () => {
  const rows = [
    { cipher: "aes-256-cbc", rsaBytes: 256, blockSize: 512, size: 512 },
    { cipher: "chacha20", rsaBytes: 512, blockSize: 512, size: 1024 },
    { cipher: "chacha20", rsaBytes: 2048, blockSize: 4096, size: 4096 },
  ] as const;
  for (const { cipher, rsaBytes, blockSize, size } of rows) {
    const key = keyOf(cipher, rsaBytes);
    const bytes = encodeKernelDumpKey(key, blockSize);
    assertEquals(bytes.byteLength, size);
    assertEquals([...bytes.subarray(0, 4)], [cipher === "chacha20" ? 2 : 1, 0xa0, 0xa1, 0xa2]);
    assertEquals([...bytes.subarray(32, 37)], [0xbf, 0, 0, rsaBytes >> 8, rsaBytes & 0xff]);
    assertEquals(decodeKernelDumpKey(bytes), key);
    assertEquals(looksLikeKey(bytes), true);
  }
});

Deno.test("decodeKernelDumpKey() refuses short blocks, unknown ciphers and impossible sizes", () => {
  const bytes = encodeKernelDumpKey(keyOf("chacha20", 256));
  assertThrows(() => decodeKernelDumpKey(bytes.subarray(0, 36)), SyntaxError, "36 bytes");
  assertThrows(
    () => decodeKernelDumpKey(bytes.subarray(0, 292)),
    SyntaxError,
    "ends after 292 bytes, expected 293",
  );
  assertThrows(() => decodeKernelDumpKey(Uint8Array.of(3, ...bytes.subarray(1))), SyntaxError, "cipher 3");
  for (const size of [0, 2049, 0xffffffff]) {
    const absurd = bytes.slice();
    new DataView(absurd.buffer).setUint32(33, size);
    assertThrows(() => decodeKernelDumpKey(absurd), SyntaxError, `encrypted key of ${size} bytes`);
  }
});

Deno.test("looksLikeKey() is not fooled by other small files", () => {
  const bytes = encodeKernelDumpKey(keyOf("chacha20", 256));
  assertEquals(looksLikeKey(bytes.subarray(0, 500)), false);
  assertEquals(looksLikeKey(new Uint8Array(512).fill(1)), false);
  assertEquals(looksLikeKey(new Uint8Array(0)), false);
  const dirty = bytes.slice();
  dirty[511] = 1;
  assertEquals(looksLikeKey(dirty), false);
  const noIv = bytes.slice();
  noIv.fill(0, 1, 33);
  assertEquals(looksLikeKey(noIv), false);
});
