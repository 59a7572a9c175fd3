/**
 * `s3://...` as an operand: a dump that was shipped, and what lies beside it.
 *
 * @module
 */
import { parseShelfLocation } from "../archive/keys.ts";
import { ObjectSource } from "../archive/object_source.ts";
import { ObjectStore } from "../archive/object_store.ts";
import type { Elsewhere } from "../inspect/examination.ts";
import { companionNames } from "../inspect/open/companions.ts";
import { quote } from "../text/escape.ts";
import { OperationError } from "./exit_status.ts";
import { type StoreOptions, storeSettings } from "./ship_options.ts";

/** A companion is far shorter. */
const MAX_COMPANION_BYTES = 2 ** 20;

/** Whether an operand names a bucket. */
export function isInBucket(path: string): boolean {
  return path.startsWith("s3://");
}

/** An object of a bucket and what lies beside it, to be examined. */
export async function openObject(path: string, options: StoreOptions): Promise<Elsewhere> {
  const { store, prefix } = openBucket(path, options);
  const key = prefix.slice(0, -1);
  const file = await ObjectSource.open(store, key);
  const folder = key.slice(0, key.lastIndexOf("/") + 1);
  const beside = new Map<string, Uint8Array>();
  for (const name of companionNames(key.slice(folder.length))) {
    const found = await store.head(folder + name);
    if (found !== undefined && found.sizeBytes <= MAX_COMPANION_BYTES) {
      beside.set(name, await store.get(folder + name));
    }
  }
  return { file, beside };
}

/** A bucket, and what follows it in the operand, with a slash at its end. */
export function openBucket(path: string, options: StoreOptions): { store: ObjectStore; prefix: string } {
  try {
    const location = parseShelfLocation(path);
    return { store: new ObjectStore(storeSettings(location, options)), prefix: location.prefix };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OperationError(`Cannot read ${quote(path)}: expected ${error.message}`);
  }
}
