/**
 * Asks a worker that reads dumps, one question at a time, each within a time.
 *
 * @module
 */
import type { Question, Reply } from "./dump_questions.ts";
import type { DumpDetails, DumpReader, StoredDump } from "../serve/observers/stored_dumps.ts";

/** A list of dumps, and a dump, must be there within this time; else the worker is ended. */
const LIST_MS = 60_000;
const READ_MS = 20_000;
/** Questions that wait. */
const MOST_WAITING = 8;

/** Dumps as a worker reads them. It is started for the first question, and again after one that took too long. */
export class WorkerDumpReader implements DumpReader {
  readonly #root: string;
  #worker: Worker | undefined;
  /** Gives up the question at hand. */
  #giveUp: (why: string) => void = () => {};
  #number = 0;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** @param root real path of the dump directory */
  constructor(root: string) {
    this.#root = root;
  }

  async list(): Promise<readonly StoredDump[] | null> {
    const result = await this.#ask(null, LIST_MS);
    return typeof result === "string" ? null : result as readonly StoredDump[];
  }

  async read(file: string): Promise<DumpDetails | string> {
    return await this.#ask(file, READ_MS) as DumpDetails | string;
  }

  /** Ends the worker; what is being asked has no answer. */
  close(): void {
    this.#closed = true;
    this.#end();
    this.#giveUp("The server stops");
  }

  /** The answer, or in words why there is none. */
  async #ask(file: string | null, patienceMs: number): Promise<readonly StoredDump[] | DumpDetails | string> {
    if (this.#waiting >= MOST_WAITING) return "Too many dumps are being read";
    this.#waiting++;
    const before = this.#last;
    const answer = (async () => {
      await before;
      return this.#closed ? "The server stops" : await this.#question(file, patienceMs);
    })().finally(() => this.#waiting--);
    this.#last = answer;
    return await answer;
  }

  #question(
    file: string | null,
    patienceMs: number,
  ): Promise<readonly StoredDump[] | DumpDetails | string> {
    const number = ++this.#number;
    const worker = this.#worker ??= this.#start();
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.#end();
        resolve(`It was not read within ${patienceMs / 1000} s`);
      }, patienceMs);
      this.#giveUp = (why) => {
        clearTimeout(late);
        resolve(why);
      };
      worker.onmessage = ({ data }: MessageEvent<Reply>) => {
        if (data.number !== number) return;
        clearTimeout(late);
        resolve("failure" in data ? data.failure : data.result);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        clearTimeout(late);
        this.#end();
        resolve(`It could not be read: ${event.message}`);
      };
      worker.postMessage({ number, root: this.#root, file } satisfies Question);
    });
  }

  #start(): Worker {
    const options: WorkerOptions & { deno: { permissions: Deno.PermissionOptionsObject } } = {
      type: "module",
      name: "dump reader",
      deno: {
        permissions: {
          read: [this.#root],
          ...{ write: false, net: false, env: false, run: false, sys: false, ffi: false, import: false },
        },
      },
    };
    return new Worker(new URL("./dump_reader_worker.ts", import.meta.url), options);
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}
