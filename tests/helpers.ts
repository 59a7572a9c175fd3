/** Small things that tests of every folder use. */

/** Bytes as lower-case hex. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Hex, white space ignored, as bytes. */
export function unhex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replace(/\s+/g, "");
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** A seeded generator of numbers in [0, 1) (mulberry32), so that every failure can be replayed from its seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The folder of shared test data beside the checkout, or `undefined` where it is absent. */
export const SHARED: URL | undefined = (() => {
  const url = new URL("../../shared/", import.meta.url);
  try {
    return Deno.statSync(url).isDirectory ? url : undefined;
  } catch {
    return undefined;
  }
})();
