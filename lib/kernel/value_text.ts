/**
 * Values of variables for people, as debuggers write them, and for programs, as JSON.
 *
 * @module
 */

import type { Text, Value } from "./value.ts";
import { decodeUtf8 } from "../text/utf8.ts";

/** A value in JSON. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };

/** Equal elements in a row from this many on are written once. */
const MIN_REPEATS = 8;

/**
 * A value as text: C's way of writing, a member a line, two spaces a level. It has no byte that a terminal would take
 * for an order.
 */
export function formatValue(value: Value, indent = ""): string {
  switch (value.kind) {
    case "integer":
      return value.isCharacter ? formatCharacter(value.value) : `${value.value}`;
    case "boolean":
    case "float":
      return `${value.value}`;
    case "enum":
      return value.name === null ? `${value.value}` : escapeName(value.name);
    case "pointer":
      return formatPointer(value.address, value.symbol, value.text);
    case "text":
      return quote(value.text);
    case "struct":
      return formatStruct(value.members, indent);
    case "array":
      return formatArray(value.elements, value.count, indent);
    case "bytes":
      return `<${Array.from(value.bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ")}>`;
    case "omitted":
      return value.why === "limit" ? "..." : "<not in the dump>";
  }
}

function formatPointer(address: bigint, symbol: string | null, text: Text | null): string {
  const named = symbol === null ? "" : ` <${escapeName(symbol)}>`;
  return `0x${address.toString(16)}${text === null ? named : ` ${quote(text)}`}`;
}

function formatStruct(
  members: readonly { readonly name: string | null; readonly value: Value }[],
  indent: string,
): string {
  if (members.length === 0) return "{}";
  const inner = `${indent}  `;
  const lines = members.map(({ name, value }) => {
    const text = formatValue(value, inner);
    return name === null ? `${inner}${text}` : `${inner}${escapeName(name)} = ${text}`;
  });
  return `{\n${lines.join(",\n")}\n${indent}}`;
}

function formatArray(elements: readonly Value[], count: number, indent: string): string {
  const inner = `${indent}  `;
  const isNested = elements.some(({ kind }) => kind === "struct" || kind === "array");
  const texts = elements.map((element) => formatValue(element, inner));
  const folded: string[] = [];
  for (let i = 0; i < texts.length;) {
    let end = i + 1;
    while (end < texts.length && texts[end] === texts[i]) end++;
    if (end - i >= MIN_REPEATS) folded.push(`${texts[i]} <repeats ${end - i} times>`);
    else folded.push(...texts.slice(i, end));
    i = end;
  }
  if (elements.length < count) folded.push(`... ${count - elements.length} more`);
  return isNested ? `{\n${inner}${folded.join(`,\n${inner}`)}\n${indent}}` : `{${folded.join(", ")}}`;
}

function formatCharacter(value: bigint): string {
  const byte = Number(BigInt.asUintN(8, value));
  return `${value} '${byte === 0x27 ? "\\'" : byte === 0x22 ? '"' : escapeByte(byte)}'`;
}

function quote(text: Text): string {
  return `"${Array.from(text.bytes, escapeByte).join("")}"${text.isCut ? "..." : ""}`;
}

const ESCAPES: Readonly<Record<number, string>> = {
  9: "\\t",
  10: "\\n",
  13: "\\r",
  0x22: '\\"',
  0x5c: "\\\\",
};

function escapeByte(byte: number): string {
  if (ESCAPES[byte] !== undefined) return ESCAPES[byte];
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** Names come from the file: any character may be in them. */
function escapeName(name: string): string {
  return name.replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/**
 * A value as JSON: integers as numbers where they are exact, else as decimal strings; pointers as hex strings; strings
 * and enumerators as strings; `null` for what is not there. Members of unnamed structs stand among the others.
 */
export function valueToJson(value: Value): JsonValue {
  switch (value.kind) {
    case "integer":
      return integerToJson(value.value);
    case "boolean":
      return value.value;
    case "float":
      return Number.isFinite(value.value) ? value.value : `${value.value}`;
    case "enum":
      return value.name ?? integerToJson(value.value);
    case "pointer":
      return `0x${value.address.toString(16)}`;
    case "text":
      return decodeUtf8(value.text.bytes);
    case "struct":
      return Object.fromEntries(membersToJson(value.members));
    case "array":
      return value.elements.map(valueToJson);
    case "bytes":
      return Array.from(value.bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    case "omitted":
      return null;
  }
}

function membersToJson(
  members: readonly { readonly name: string | null; readonly value: Value }[],
): [string, JsonValue][] {
  return members.flatMap(({ name, value }): [string, JsonValue][] => {
    if (name !== null) return [[name, valueToJson(value)]];
    return value.kind === "struct" ? membersToJson(value.members) : [];
  });
}

function integerToJson(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : `${value}`;
}
