/**
 * What the status page's reader of dumps is asked, and replies. Plain data: it crosses threads by structured clone.
 *
 * @module
 */
import type { DumpDetails, StoredDump } from "../serve/observers/stored_dumps.ts";

/** What the worker is asked: to list all dumps, or to read one. */
export interface Question {
  readonly number: number;
  readonly root: string;
  readonly file: string | null;
}

/** What it replies. */
export type Reply =
  | { readonly number: number; readonly result: readonly StoredDump[] | DumpDetails }
  | { readonly number: number; readonly failure: string };
