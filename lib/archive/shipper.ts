/**
 * Ships what the outbox has: a dump's files, then its catalogue entry, then the mark. What fails is tried again, for ever.
 *
 * @module
 */
import { join } from "@std/path";
import { describeError } from "../os/system_error.ts";
import { parseEntry, parseRow } from "./catalogue_entry.ts";
import { addToDay } from "./day_summary.ts";
import { catalogueKey, dumpPrefix } from "./keys.ts";
import { type LocalFile, PartBuffers, plainContent, seekableContent } from "./content.ts";
import { openLocalFile } from "./local_file.ts";
import type { ObjectStore } from "./object_store.ts";
import type { FinalDump, Outbox } from "./outbox.ts";
import { STORE_ADVICE, StoreError, type StoreFailure } from "./store_error.ts";
import { type Pace, sendFile, type Sums } from "./transfer.ts";
import { endForsakenUploads, endUploads } from "./uploads.ts";

/** Failures that concern one dump and not the store: the next one may well succeed. */
const OF_ONE_DUMP: ReadonlySet<StoreFailure> = new Set(["damaged", "absent", "refused", "full"]);

/** Parts in memory, whether they are made, sent or waited for. */
const MAX_PARTS_AT_ONCE = 3;
/** Endings that a file's key can have. */
const SUFFIXES = ["", ".zst"] as const;
/** How gzip and zstd begin. */
const PACKED_MAGICS = [[0x1f, 0x8b], [0x28, 0xb5, 0x2f, 0xfd]] as const;

/** What a shipper tells. */
export type ShipperReport =
  | { readonly report: "ready"; readonly collector: string }
  | { readonly report: "pending"; readonly dumps: number }
  | {
    readonly report: "shipped";
    readonly directory: string;
    readonly info: string;
    readonly complete: boolean;
    readonly catalogueKey: string;
    readonly bytes: number;
    readonly sentBytes: number;
    readonly durationMs: number;
  }
  | {
    readonly report: "problem";
    /** The dump it is about; `null` if it is about the store. */
    readonly info: string | null;
    readonly failure: StoreFailure | "file";
    readonly problem: string;
    readonly advice: string;
  };

/** What a shipper needs. */
export interface ShipperParts {
  /** Real path of the dump directory. */
  readonly root: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  readonly outbox: Outbox;
  readonly store: ObjectStore;
  /** Waits as the rate demands. */
  readonly pace: Pace;
  /** What an incomplete dump has to be left alone for. */
  readonly settleMs: number;
  /** What is known of a core file, for the catalogue; `null` if it cannot be read. */
  readonly describe: (path: string) => Promise<unknown>;
  readonly report: (report: ShipperReport) => void;
}

/** An object of a dump, as the catalogue has it. */
interface CatalogueObject {
  /** Of the file; the key may have an ending more. */
  readonly name: string;
  readonly key: string;
  /** On the way; what the kernel compressed is stored as it is. */
  readonly compression: "none" | "zstd";
  readonly received: Sums;
  readonly stored: Sums;
}

/** Ships dumps, one after the other. */
export class Shipper {
  readonly #parts: ShipperParts;
  readonly #buffers = new PartBuffers(MAX_PARTS_AT_ONCE);

  constructor(parts: ShipperParts) {
    this.#parts = parts;
  }

  /**
   * Tries the bucket: can it be listed, written to, read from?
   *
   * @returns whether it can
   */
  async tryStore(): Promise<boolean> {
    const { store, prefix, outbox, report } = this.#parts;
    const key = `${prefix}collectors/${outbox.collector}.json`;
    const note = encodeJson({ collector: outbox.collector });
    try {
      await endForsakenUploads(store, `${prefix}dumps/`);
      await store.put(key, note, "application/json");
      const stored = await store.head(key);
      if (stored?.sizeBytes !== note.length) throw new StoreError("damaged", `Cannot read ${key} again`);
      report({ report: "ready", collector: outbox.collector });
      return true;
    } catch (error) {
      this.#tell(null, error);
      return false;
    }
  }

  /**
   * Ships all that is pending.
   *
   * @returns whether nothing is left that failed
   */
  async shipPending(): Promise<boolean> {
    const { outbox, settleMs, report } = this.#parts;
    let isWell = true;
    let pending: FinalDump[];
    try {
      outbox.tidy();
      pending = outbox.pending(Date.now(), settleMs);
      report({ report: "pending", dumps: pending.length });
      for (const { name, keys } of outbox.abandoned(pending)) {
        await this.#endUploads(keys);
        outbox.forget(name);
      }
    } catch (error) {
      this.#tell(null, error);
      return false;
    }
    let left = pending.length;
    for (const dump of pending) {
      try {
        await this.#ship(dump);
        report({ report: "pending", dumps: --left });
      } catch (error) {
        isWell = false;
        this.#tell(dump, error);
        if (error instanceof StoreError && !OF_ONE_DUMP.has(error.failure)) break;
      }
    }
    return isWell;
  }

  async #ship(dump: FinalDump): Promise<void> {
    const { root, prefix, outbox, store, describe, report } = this.#parts;
    const startedMs = performance.now();
    const folder = dumpPrefix(prefix, dump);
    const isTakenUp = await outbox.begin(dump, dump.files.map((name) => `${folder}${name}`));
    const objects: CatalogueObject[] = [];
    let sentBytes = 0;
    for (const name of dump.files) {
      const sent = await this.#store(dump, name, folder);
      sentBytes += sent.sentBytes;
      objects.push(sent.object);
    }
    // Another version of the program may have begun to store them in another form.
    if (isTakenUp) await this.#endUploads(dump.files.map((name) => `${folder}${name}`));
    const core = dump.files.find((name) => name.startsWith("vmcore"))!;
    const known = await describe(join(root, dump.directory, core));
    if (!outbox.isUnchanged(dump)) throw new Error("it changed while it was shipped, and is shipped anew");
    const key = catalogueKey(prefix, dump);
    const entry = encodeJson(catalogueEntry(dump, outbox.collector, objects, known));
    await store.put(key, entry, "application/json");
    const stored = await store.head(key);
    if (stored?.sizeBytes !== entry.length) {
      throw new StoreError("damaged", `The catalogue entry ${key} is not as it was sent`);
    }
    const row = parseRow(parseEntry(entry));
    if (row !== undefined) {
      await addToDay(store, prefix, outbox.collector, { key, row, startedMs: dump.startedMs });
    }
    await outbox.mark(dump, key);
    report({
      report: "shipped",
      ...{ directory: dump.directory, info: dump.info, complete: dump.complete, catalogueKey: key },
      ...{ bytes: objects.reduce((sum, { stored }) => sum + stored.bytes, 0), sentBytes },
      durationMs: Math.round(performance.now() - startedMs),
    });
  }

  /** Stores one file. */
  async #store(
    dump: FinalDump,
    name: string,
    folder: string,
  ): Promise<{ readonly object: CatalogueObject; readonly sentBytes: number }> {
    const { root, store, pace } = this.#parts;
    using file = openLocalFile(join(root, dump.directory, name));
    const isPlain = name.startsWith("vmcore.") && !isPacked(dump, file);
    const content = (isPlain ? seekableContent(file, this.#buffers) : undefined) ??
      plainContent(file, this.#buffers);
    const { compression, suffix } = content;
    const key = `${folder}${name}${suffix}`;
    const { sentBytes, ...sums } = await sendFile(store, key, file, content, pace);
    file.checkUnchanged();
    return { object: { name, key, compression, ...sums }, sentBytes };
  }

  /** Ends uploads of files, whatever form they were begun in. */
  async #endUploads(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      for (const suffix of SUFFIXES) await endUploads(this.#parts.store, `${key}${suffix}`);
    }
  }

  #tell(dump: FinalDump | null, error: unknown): void {
    const failure = error instanceof StoreError ? error.failure : "file";
    this.#parts.report({
      report: "problem",
      info: dump === null ? null : dump.directory === "." ? dump.info : `${dump.directory}/${dump.info}`,
      failure,
      problem: error instanceof StoreError ? error.message : describeError(error),
      advice: failure === "file"
        ? "see whether the server may read its own dump directory"
        : STORE_ADVICE[failure],
    });
  }
}

/** Whether the kernel compressed or encrypted a core file: by its beginning, or by the key beside it. */
function isPacked({ files }: FinalDump, file: LocalFile): boolean {
  if (files.some((name) => name.startsWith("key."))) return true;
  const beginning = new Uint8Array(Math.min(4, file.sizeBytes));
  file.read(0, beginning);
  return PACKED_MAGICS.some((magic) => magic.every((byte, at) => beginning[at] === byte));
}

function catalogueEntry(
  dump: FinalDump,
  collector: string,
  objects: readonly CatalogueObject[],
  inspect: unknown,
): unknown {
  const { id, host, number, directory, startedMs, complete, ending } = dump;
  const started = new Date(startedMs).toISOString();
  return { catalog: 1, id, collector, host, number, directory, started, complete, ending, objects, inspect };
}

function encodeJson(value: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
}
