/**
 * A source of bytes that is read from front to back like an open file, a piece ahead of who takes them.
 *
 * @module
 */
import type { Source } from "../bytes/source.ts";
import type { DumpFile, FileState } from "./read_ahead.ts";

const PIECE_BYTES = 4 * 2 ** 20;

/** A source as a file. Closing it closes the source. */
export class SourceFile implements DumpFile {
  readonly #source: Source & { readonly size: number };
  #piece = new Uint8Array(0);
  /** Where the piece that comes next begins. */
  #nextAt = 0;
  #next: Promise<Uint8Array> | undefined;

  constructor(source: Source & { readonly size: number }) {
    this.#source = source;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#piece.length === 0) {
      this.#piece = new Uint8Array(await (this.#next ?? this.#ask()));
      if (this.#piece.length === 0) {
        if (this.#nextAt < this.#source.size) throw new Error("what is stored is damaged");
        return null;
      }
      this.#nextAt += this.#piece.length;
      this.#next = this.#ask();
      // Whoever takes it sees that it failed.
      this.#next.catch(() => {});
    }
    const taken = this.#piece.subarray(0, into.length);
    into.set(taken);
    this.#piece = this.#piece.subarray(taken.length);
    return taken.length;
  }

  statSync(): FileState {
    return { size: this.#source.size, mtime: null };
  }

  close(): void {
    this.#source.close();
  }

  #ask(): Promise<Uint8Array> {
    return this.#source.read(this.#nextAt, PIECE_BYTES);
  }
}
