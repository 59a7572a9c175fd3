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
