/** Compressed streams for tests: made by the tools, and damaged. */
import { seededRandom } from "../helpers.ts";
import { run } from "../inspect/tools.ts";

/** What streams are compressed by. */
export type Format = "gzip" | "zstd";

/** Compresses as the kernel does. */
export async function compress(format: Format, plain: Uint8Array, level: number): Promise<Uint8Array> {
  // As the kernel does: no name, no content size, a checksum.
  const args = format === "gzip" ? ["-n", "-c", `-${level}`] : ["-q", "-c", `-${level}`, "--check"];
  const { code, stdout, stderr } = await run(format, args, plain);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** What dumps are made of: zeros, pointers, text and noise, in pages. */
export function memoryLike(bytes: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const memory = new Uint8Array(bytes);
  for (let page = 0; page < bytes; page += 4096) {
    const kind = Math.floor(random() * 5);
    for (let at = page; at < Math.min(page + 4096, bytes); at++) {
      if (kind === 1) memory[at] = random() * 256;
      if (kind === 2) memory[at] = at % 8 < 3 ? random() * 256 : 0xff;
      if (kind === 3) memory[at] = "panic: page fault at ".charCodeAt((at * 7 + page / 4096) % 21);
      if (kind === 4) memory[at] = random() < 0.9 ? 0 : random() * 16;
    }
  }
  return memory;
}

/** Changes a byte or a few, cuts, adds, or leaves as it is. */
export function damage(bytes: Uint8Array, below: (limit: number) => number): Uint8Array {
  const copy = bytes.slice();
  switch (below(5)) {
    case 0:
      return copy;
    case 1:
      return copy.subarray(0, below(copy.byteLength + 1));
    case 2: {
      const longer = new Uint8Array(copy.byteLength + 1 + below(40));
      longer.set(copy);
      for (let at = copy.byteLength; at < longer.byteLength; at++) longer[at] = 1 + below(255);
      return longer;
    }
    default:
      for (let flips = 1 + below(3); flips > 0 && copy.byteLength > 0; flips--) {
        copy[below(copy.byteLength)]! ^= 1 << below(8);
      }
      return copy;
  }
}
