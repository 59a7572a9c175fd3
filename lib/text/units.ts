/**
 * Sizes and durations as people write and read them.
 *
 * @module
 */

const SIZE_FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};
const DURATION_FACTORS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Parses a size such as `4096`, `64k`, `1.5G`, `97MiB`: a number and an optional k, M, G or T (powers of 1024, either
 * case).
 *
 * @returns bytes, a whole number
 * @throws {SyntaxError} if the text is no size or is larger than 2^53
 */
export function parseSize(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(?:([kmgt])i?)?b?$/i.exec(text) ?? [];
  const sizeBytes = Math.round(Number(digits) * (SIZE_FACTORS[unit?.toLowerCase() ?? ""] ?? NaN));
  if (digits === undefined || !Number.isSafeInteger(sizeBytes)) {
    throw new SyntaxError("a size in bytes, or with k, M, G or T (powers of 1024), such as 64k or 1.5G");
  }
  return sizeBytes;
}

/**
 * Parses a duration such as `500ms`, `10m`, `1.5h`; a bare number is seconds.
 *
 * @returns milliseconds
 * @throws {SyntaxError} if the text is no duration or is longer than a hundred years
 */
export function parseDuration(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const durationMs = Number(digits) * (DURATION_FACTORS_MS[unit ?? "s"] ?? NaN);
  if (digits === undefined || !(durationMs <= 36_525 * 86_400_000)) {
    throw new SyntaxError("a duration with ms, s, m, h or d, such as 500ms or 10m");
  }
  return durationMs;
}

/** Formats a byte count for people, three digits and a binary unit: `97.0 MiB`; below 1 KiB `512 B`. */
export function formatSize(sizeBytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return `${value} B`;
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${units[unit]}`;
}

/** Formats a duration for people: `340 ms`, `4.2 s`, `3 min 07 s`, `2 h 05 min`, `3 d 04 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** A number of things for people: `1 dump`, `2 dumps`. */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A byte count for people, exact bytes beside it: `36.0 KiB (36864 bytes)`. */
export function formatBytes(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${formatSize(bytes)} (${bytes} bytes)`;
}
