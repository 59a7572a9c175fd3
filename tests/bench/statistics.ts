/**
 * Medians, and tables in markdown.
 *
 * @module
 */

/** The middle of some numbers, the mean of the two middle ones if they are even in number; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The medians of each field of some records that have the same fields. */
export function medians<R extends Readonly<Record<string, number>>>(records: readonly R[]): R {
  const fields = Object.keys(records[0] ?? {});
  return Object.fromEntries(
    fields.map((field) => [field, median(records.map((record) => record[field]!))]),
  ) as R;
}

/** A number with as many digits as mean something: three. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return value.toFixed(decimals);
}

/** A table in markdown: the first row is its head; columns of numbers are aligned to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const columns = head.map((_, i) => body.map((row) => row[i] ?? ""));
  const numeric = columns.map((cells) => cells.every((cell) => /^(-|[\d.]+)?$/.test(cell)));
  const widths = head.map((cell, i) => Math.max(3, cell.length, ...columns[i]!.map((text) => text.length)));
  const line = (row: readonly string[]) =>
    `| ${
      row.map((cell, i) => numeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join(" | ")
    } |`;
  const rule = widths.map((width, i) => numeric[i] ? "-".repeat(width - 1) + ":" : "-".repeat(width));
  return [line(head), `| ${rule.join(" | ")} |`, ...body.map(line)].join("\n") + "\n";
}
