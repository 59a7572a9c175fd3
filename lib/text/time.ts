/**
 * Times as people read them.
 *
 * @module
 */

/** Local time with its zone: `2025-11-21 22:41:33 +0100`. */
export function formatLocalTime(time: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const offset = -time.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${
    two(Math.abs(offset) % 60)
  }`;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ` +
    `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${zone}`;
}

/** Formats Unix seconds as ISO 8601 in UTC; `null` where no calendar reaches. */
export function formatIsoTime(unixSeconds: number | null): string | null {
  const date = new Date((unixSeconds ?? NaN) * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString().replace(/\.\d+Z$/, "Z");
}

/** A time for people, in UTC: `2025-11-21 10:07:02 UTC`. */
export function formatTime(unixSeconds: number | null): string | null {
  return formatIsoTime(unixSeconds)?.replace("T", " ").replace("Z", " UTC") ?? null;
}
