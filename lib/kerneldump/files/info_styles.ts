/**
 * info files in the styles of libxo, which savecore takes as options: JSON, XML and HTML, whole or cut (reference
 * kernel-dump-formats.md, section 2.2).
 *
 * @module
 */

/** The labels of the text style, by libxo's keys. */
const LABELS: Readonly<Record<string, string>> = {
  dump_device: "Dump Device",
  architecture: "Architecture",
  architecture_version: "Architecture Version",
  dump_length_bytes: "Dump Length",
  blocksize: "Blocksize",
  compression: "Compression",
  dumptime: "Dumptime",
  hostname: "Hostname",
  magic: "Magic",
  version_string: "Version String",
  panic_string: "Panic String",
  dump_parity: "Dump Parity",
  bounds: "Bounds",
  dump_status: "Dump Status",
};

/** The label of the device, which in the text style is the first line. */
export const DEVICE_LABEL = "Dump Device";

const JSON_START = /^\s*\{\s*(?:"__version": ?"[^"]*", ?)?\s*"crashdump"/;
const XML_START = /^\s*(?:<\?xml[^<>]*>\s*)?<crashdump\b/;
const HTML_START = /^\s*(?:<!DOCTYPE[^<>]*>\s*)?<[^<>]*>[^]*data-tag="dump_device"/;

/** Tells whether a text with this beginning is an info file in a style of libxo. */
export function looksLikeStyledInfo(text: string): boolean {
  return styleOf(text) !== undefined;
}

/** Reads the values by the labels of the text style; `undefined` if it is in no style of libxo. */
export function parseStyledInfo(text: string): Map<string, string> | undefined {
  const style = styleOf(text);
  if (style === undefined) return undefined;
  const fields = new Map<string, string>();
  for (const [, key = "", value = ""] of text.matchAll(STYLES[style].field)) {
    const label = LABELS[key.replaceAll("-", "_")];
    if (label !== undefined && !fields.has(label)) fields.set(label, STYLES[style].decode(value));
  }
  return fields;
}

const STYLES = {
  json: { field: /"([a-z_-]{1,40})": ?("(?:[^"\\]|\\.)*"|\d{1,20})/g, decode: decodeJson },
  xml: { field: /<([a-z_-]{1,40})(?: [^<>]*)?>([^<]*)<\//g, decode: decodeEntities },
  html: { field: /data-tag="([a-z_-]{1,40})"[^<>]*>([^<]*)<\//g, decode: decodeEntities },
} as const;

function styleOf(text: string): keyof typeof STYLES | undefined {
  const start = text.slice(0, 1024);
  if (JSON_START.test(start)) return "json";
  if (XML_START.test(start)) return "xml";
  return HTML_START.test(start) ? "html" : undefined;
}

function decodeJson(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return JSON.parse(value);
  } catch {
    // A line feed as it is, or an escape that is none: what stands there is better than nothing.
    return value.slice(1, -1);
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decodeEntities(value: string): string {
  return value.replace(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => ENTITIES[name]!);
}
