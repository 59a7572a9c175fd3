/**
 * Prometheus' text format (exposition format 0.0.4), pure: families of samples in, lines out.
 *
 * @module
 */

/** What a sample says besides its value. */
export type Labels = Readonly<Record<string, string>>;

/** One value of a family. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** What a histogram has counted. */
export interface HistogramCounts {
  /** Upper bounds of the buckets, rising, without +Inf. */
  readonly bounds: readonly number[];
  /** Values in each bucket alone; one more than bounds, for those above the last. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A metric: its name with the unit last, and what it means. */
export type Family =
  & { readonly name: string; readonly help: string }
  & (
    | { readonly type: "counter" | "gauge"; readonly samples: readonly Sample[] }
    | { readonly type: "histogram"; readonly histogram: HistogramCounts }
  );

function family(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: number | readonly Sample[],
): Family {
  return { type, name, help, samples: typeof value === "number" ? [{ value }] : value };
}

/** A count that only grows. */
export function counter(name: string, help: string, value: number | readonly Sample[]): Family {
  return family("counter", name, help, value);
}

/** A value that goes up and down. */
export function gauge(name: string, help: string, value: number | readonly Sample[]): Family {
  return family("gauge", name, help, value);
}

/** Values by size. */
export function histogram(name: string, help: string, counts: HistogramCounts): Family {
  return { type: "histogram", name, help, histogram: counts };
}

/** The media type of what {@linkcode formatExposition} gives. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** All families, each with its help and type before its samples. */
export function formatExposition(families: readonly Family[]): string {
  return families.map((family) => {
    const head = `# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.type}\n`;
    return head +
      (family.type === "histogram"
        ? formatHistogram(family.name, family.histogram)
        : family.samples.map(({ labels, value }) => line(family.name, labels ?? {}, value)).join(""));
  }).join("");
}

function formatHistogram(name: string, { bounds, counts, sum }: HistogramCounts): string {
  let seen = 0;
  const buckets = [...bounds, Infinity].map((bound, i) => {
    seen += counts[i] ?? 0;
    return line(`${name}_bucket`, { le: formatValue(bound) }, seen);
  });
  return buckets.join("") + line(`${name}_sum`, {}, sum) + line(`${name}_count`, {}, seen);
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${formatValue(value)}\n`;
}

function formatValue(value: number): string {
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
