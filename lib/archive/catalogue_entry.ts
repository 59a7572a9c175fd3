/**
 * A catalogue entry as it is read: it may be anybody's.
 *
 * @module
 */
import { panicSignature } from "../kerneldump/files/panic_signature.ts";

/** What a list shows of an entry; strings are unfiltered. */
export interface CatalogueRow {
  readonly host: string;
  readonly number: number | null;
  readonly started: string;
  readonly complete: boolean;
  readonly ending: string;
  readonly panic: string | null;
  /** When it crashed, or, where that is not known, when it began to arrive; ISO 8601, UTC. */
  readonly time: string;
  /** Equal for panics that are likely the same bug. */
  readonly signature: string | null;
  /** Key of the core file; `null` if none is named. */
  readonly core: string | null;
  /** Bytes of all objects. */
  readonly bytes: number;
}

/** A catalogue entry. */
export interface CatalogueEntry extends CatalogueRow {
  /** All that the entry says; `null` if only what a list shows was asked for. */
  readonly all: unknown;
}

/** Reads an entry; `undefined` if it is none. */
export function parseEntry(bytes: Uint8Array): CatalogueEntry | undefined {
  try {
    const all = JSON.parse(new TextDecoder().decode(bytes));
    const { catalog, host, number, started, complete, ending, objects, inspect } = all;
    if (catalog !== 1 || typeof host !== "string" || typeof started !== "string") return undefined;
    const summary = inspect?.summary;
    const told = summary?.panic ?? inspect?.kernelDumpHeader?.panicString;
    const panic = typeof told === "string" && told !== "" ? told : null;
    const ofPanic = panic === null ? null : panicSignature(panic);
    const list: { name?: unknown; key?: unknown; stored?: { bytes?: unknown } }[] = Array.isArray(objects)
      ? objects
      : [];
    const core = list.find(({ name }) => `${name}`.startsWith("vmcore"))?.key;
    return {
      ...{ host, started, complete: complete === true, ending: `${ending}`, all, panic },
      number: typeof number === "number" ? number : null,
      time: typeof summary?.time === "string" ? summary.time : started,
      signature: typeof summary?.signature === "string" ? summary.signature : ofPanic,
      core: typeof core === "string" ? core : null,
      bytes: list.reduce((sum, { stored }) => sum + (Number(stored?.bytes) || 0), 0),
    };
  } catch {
    return undefined;
  }
}

/** Reads what a list shows of an entry, as it was written down; `undefined` if it is none. */
export function parseRow(value: unknown): CatalogueRow | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { host, number, started, complete, ending, panic, time, signature, core, bytes } = value as Partial<
    Record<keyof CatalogueRow, unknown>
  >;
  const isSound = [host, started, ending, time].every((text) => typeof text === "string") &&
    [panic, signature, core].every((text) => text === null || typeof text === "string") &&
    (number === null || typeof number === "number") && typeof bytes === "number" &&
    typeof complete === "boolean";
  if (!isSound) return undefined;
  return { host, number, started, complete, ending, panic, time, signature, core, bytes } as CatalogueRow;
}
