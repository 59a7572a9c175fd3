/**
 * Reads a dump's data ahead of the sender, in large pieces, in bounded memory.
 *
 * @module
 */
import { quote } from "../text/escape.ts";
import { SendError } from "./failure.ts";
import { describeError } from "../os/system_error.ts";

const CHUNK_SIZE = 1024 * 1024;
/** Chunks read ahead: the disk works while the network does. */
const CHUNKS = 4;

/** What tells whether a file is as it was. */
export interface FileState {
  readonly size: number;
  readonly mtime: Date | null;
}

/** What a dump is read from, from its front: an open file, or something like it that lies elsewhere. */
export interface DumpFile {
  /** Reads the next bytes; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  statSync(): FileState;
  close(): void;
}

/** A file that is being sent, and how it was when it was opened. */
export interface OpenDump {
  readonly path: string;
  readonly file: DumpFile;
  readonly info: FileState;
  /** Bytes to send: what lies behind the end of the file is zeros. */
  readonly dataSize: number;
}

/**
 * Checks that nobody changed a file since it was opened.
 *
 * @throws {SendError} if its size or modification time is another
 */
export function checkUnchanged(dump: OpenDump): void {
  const info = dump.file.statSync();
  if (info.size === dump.info.size && info.mtime?.getTime() === dump.info.mtime?.getTime()) return;
  throw new SendError(
    `Cannot send ${
      quote(dump.path)
    }: the file changed while it was being sent; wait until it is whole, or copy it first`,
  );
}

/** The read-ahead: chunks are read in order, and given out in order. */
export class ReadAhead {
  readonly #dump: OpenDump;
  readonly #onReady: () => void;
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  #readyOffset = 0;
  /** The chunk that is being given out: those before it are free to be read into. */
  #current = 0;
  #closed = false;
  #roomMade: (() => void) | undefined;

  /** @param onReady called when more can be given out */
  constructor(dump: OpenDump, onReady: () => void) {
    this.#dump = dump;
    this.#onReady = onReady;
  }

  /** How far the data has been read. */
  get readyOffset(): number {
    return this.#readyOffset;
  }

  /**
   * Reads to the end of the data, or until it is closed.
   *
   * @throws {SendError} if the file cannot be read, or changes
   */
  async run(): Promise<void> {
    while (this.#readyOffset < this.#dump.dataSize && !this.#closed) {
      const index = this.#readyOffset / CHUNK_SIZE;
      if (index - this.#current >= CHUNKS) {
        await new Promise<void>((resolve) => this.#roomMade = resolve);
        continue;
      }
      const chunk = this.#chunks[index % CHUNKS] ??= new Uint8Array(CHUNK_SIZE);
      const sizeBytes = Math.min(CHUNK_SIZE, this.#dump.dataSize - this.#readyOffset);
      await this.#fill(chunk.subarray(0, sizeBytes));
      if (this.#closed) return;
      this.#readyOffset += sizeBytes;
      this.#onReady();
    }
  }

  /** Copies the data at `offset`, which lies at or behind that of the last call and before `readyOffset`. */
  copy(offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.byteLength;) {
      const index = Math.floor((offset + done) / CHUNK_SIZE);
      this.#release(index);
      const at = offset + done - index * CHUNK_SIZE;
      const sizeBytes = Math.min(into.byteLength - done, CHUNK_SIZE - at);
      const chunk = this.#chunks[index % CHUNKS];
      if (chunk === undefined) throw new RangeError(`Cannot copy dump data: nothing was read at ${offset}`);
      into.set(chunk.subarray(at, at + sizeBytes), done);
      done += sizeBytes;
    }
  }

  /** Stops reading. */
  close(): void {
    this.#closed = true;
    this.#roomMade?.();
  }

  #release(index: number): void {
    if (index === this.#current) return;
    this.#current = index;
    this.#roomMade?.();
    this.#roomMade = undefined;
  }

  async #fill(into: Uint8Array): Promise<void> {
    const { file, info, path } = this.#dump;
    const inFile = Math.max(0, Math.min(into.byteLength, info.size - this.#readyOffset));
    let done = 0;
    while (done < inFile) {
      let count: number | null;
      try {
        count = await file.read(into.subarray(done, inFile));
      } catch (error) {
        if (this.#closed) return;
        throw new SendError(
          `Cannot read ${quote(path)} at offset ${this.#readyOffset + done}: ${describeError(error)}`,
        );
      }
      if (count === null) break;
      done += count;
    }
    if (this.#closed) return;
    checkUnchanged(this.#dump);
    into.fill(0, done);
  }
}
