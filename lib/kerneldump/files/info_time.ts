/**
 * Times as info files have them (reference kernel-dump-formats.md, section 2.2).
 *
 * @module
 */

/** netdumpd's Dumptime has no zone, so the time stands there again, in UTC. */
export const DUMPTIME_UTC = "Dumptime UTC";

/** A time that was read. */
export interface InfoTime {
  /** Unix time. */
  readonly seconds: number;
  /** Whether it came with its zone; one without is taken as this machine's local time. */
  readonly zoned: boolean;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A time as ctime(3) writes it, in the local zone; `@<seconds>` where no calendar reaches. */
export function formatCtime(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000);
  if (Number.isNaN(date.getTime())) return `@${unixSeconds}`;
  const two = (n: number) => `${n}`.padStart(2, "0");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${`${date.getDate()}`.padStart(2)} ${clock} ` +
    date.getFullYear();
}

/** A ctime(3) time (local), a strftime `%F %T %z` time, one of ISO 8601 in UTC, or `@<seconds>`; Unix seconds. */
export function parseTime(text: string): InfoTime | null {
  const c = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d+) (\d\d):(\d\d):(\d\d) (\d{1,6})$/.exec(text);
  const month = MONTHS.indexOf(c?.[1] ?? "");
  if (c !== null && month >= 0) {
    const [year, day, hours, minutes, seconds] = [c[6], c[2], c[3], c[4], c[5]].map(Number);
    return sane(new Date(year!, month, day!, hours!, minutes!, seconds!).getTime() / 1000, false);
  }
  const f = /^(\d{4,6}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?: ([+-]\d\d):?(\d\d)|Z)$/.exec(text);
  if (f !== null) {
    return sane(Date.parse(`${f[1]}T${f[2]}${f[3] === undefined ? "Z" : `${f[3]}:${f[4]}`}`) / 1000, true);
  }
  return sane(Number(/^@(\d+)$/.exec(text)?.[1] ?? NaN), true);
}

function sane(seconds: number, zoned: boolean): InfoTime | null {
  return Number.isSafeInteger(seconds) ? { seconds, zoned } : null;
}
