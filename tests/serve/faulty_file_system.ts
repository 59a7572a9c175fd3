/**
 * File systems that fail, or that show what they hold before each operation.
 */
import { type FileSystem, realFileSystem } from "../../lib/os/file_system.ts";

/** How an operation goes wrong. */
export type Fault =
  /** This one operation fails. */
  | "once"
  /** It fails, and so do all that change something after it, as on a disk that is full or gone. */
  | "from-then-on"
  /** A write does half of its work, then fails. */
  | "half-way";

/** Operations that change nothing: a dying disk may still answer them. */
const READING = ["sizeOf", "realPath", "entry", "list", "readText", "readBytes", "space", "close"];

/** Counts operations, and lets one of them fail. */
export class FaultyFileSystem {
  /** The file system to be used. */
  readonly fs: FileSystem;
  /** Operations so far. */
  operations = 0;
  /** The operation that failed, `undefined` before. */
  failed: string | undefined;
  /** Descriptors that are open. */
  readonly open = new Set<number>();
  readonly #failAt: number;
  readonly #fault: Fault;

  /** @param failAt number of the operation that fails, from 1; 0 for none */
  constructor(failAt: number, fault: Fault = "once") {
    this.#failAt = failAt;
    this.#fault = fault;
    this.fs = new Proxy(realFileSystem, {
      get: (real, name) => (...args: unknown[]) => this.#perform(real, name as keyof FileSystem, args),
    });
  }

  /** Counts an operation that is none of the file system's, and throws if it is to fail. */
  step(name: string): void {
    this.operations++;
    const fails = this.operations === this.#failAt ||
      (this.#fault === "from-then-on" && this.failed !== undefined && !READING.includes(name));
    if (!fails) return;
    this.failed ??= name;
    const code = this.#fault === "from-then-on" ? "ENOSPC" : "EIO";
    throw Object.assign(new Error(`${name} fails`), { code });
  }

  #perform(real: FileSystem, name: keyof FileSystem, args: unknown[]): unknown {
    const call = (args: unknown[]) => (real[name] as (...args: unknown[]) => unknown)(...args);
    const asynchronous = name === "sync" || name === "syncDirectory";
    try {
      this.step(name);
    } catch (error) {
      if (name === "write" && this.#fault === "half-way") {
        call([...args.slice(0, 3), (args[3] as number) >> 1, args[4]]);
      }
      // A descriptor is gone even if its close fails.
      if (name === "close") {
        call(args);
        this.open.delete(args[0] as number);
      }
      if (asynchronous) return Promise.reject(error);
      throw error;
    }
    const result = call(args);
    if (name === "create" || name === "reopen") this.open.add(result as number);
    if (name === "close") this.open.delete(args[0] as number);
    return result;
  }
}

/** Calls back before each operation, and in the middle of those that a kill can find half done. */
export function watchedFileSystem(before: (operation: string) => void): FileSystem {
  return new Proxy(realFileSystem, {
    get: (real, name) => (...args: unknown[]) => {
      before(name === "replace" && `${args[1]}`.endsWith(".journal") ? "replace, journal" : name as string);
      if (name === "renameExclusively") {
        const [from, to] = args as [string, string];
        Deno.linkSync(from, to);
        before("renameExclusively, half-way");
        Deno.removeSync(from);
        return;
      }
      if (name === "write") {
        const [fd, bytes, at, length, position] = args as Parameters<FileSystem["write"]>;
        real.write(fd, bytes, at, length >> 1, position);
        before("write, half-way");
      }
      return (real[name as keyof FileSystem] as (...args: unknown[]) => unknown)(...args);
    },
  });
}
