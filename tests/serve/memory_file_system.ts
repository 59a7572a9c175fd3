/**
 * A file system in memory, as a server that may be killed at any operation leaves it: within a write, a part of it is there.
 *
 * @module
 */
import { dirname } from "@std/path";
import type { Entry, FileSystem } from "../../lib/os/file_system.ts";

/** The server was killed: nothing that it does counts any more. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** What happens around the operations of one life of a server. */
export interface Fate {
  /** Called before each operation that changes something; throws {@linkcode Killed} if it is the end. */
  step(): void;
  /** How much of a write is done when it is the end, of 1. */
  part(): number;
  /** Unix time in ms. */
  unixMs(): number;
  /** Resolves when something is on stable storage. */
  sync(): Promise<void>;
}

interface Node {
  readonly kind: "file" | "directory" | "link";
  readonly inode: number;
  bytes: Uint8Array;
  size: number;
  changedMs: number;
  target: string;
}

const TERABYTE = 2 ** 40;
const DEVICE = 1;

/** Files and directories, which outlive the lives of a server. */
export class MemoryFiles {
  readonly nodes = new Map<string, Node>();
  readonly open = new Map<number, Node>();
  #inodes = 0;
  #descriptors = 2;

  /** @param root path of the only directory there is at first */
  constructor(root: string) {
    this.add(root, "directory", 0);
  }

  /** Adds what has no bytes yet. */
  add(path: string, kind: Node["kind"], changedMs: number, target = ""): Node {
    const node = { kind, inode: ++this.#inodes, bytes: new Uint8Array(), size: 0, changedMs, target };
    this.nodes.set(path, node);
    return node;
  }

  descriptor(node: Node): number {
    this.open.set(++this.#descriptors, node);
    return this.#descriptors;
  }

  /** Content of the file with a name like this; empty if there is none. */
  find(pattern: RegExp): Uint8Array {
    for (const [path, node] of this.nodes) if (pattern.test(path)) return node.bytes.subarray(0, node.size);
    return new Uint8Array();
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

/** The file system as one life of a server sees it. */
export function memoryFileSystem(files: MemoryFiles, fate: Fate): FileSystem {
  const { nodes, open } = files;
  const at = (path: string): Node => {
    const node = nodes.get(path);
    if (node === undefined) throw failure("ENOENT", path);
    return node;
  };
  const of = (fd: number): Node => {
    const node = open.get(fd);
    if (node === undefined) throw failure("EBADF", `${fd}`);
    return node;
  };
  const free = (path: string): void => {
    fate.step();
    at(dirname(path));
    if (nodes.has(path)) throw failure("EEXIST", path);
  };
  const move = (from: string, to: string): void => {
    const node = at(from);
    nodes.set(to, node);
    nodes.delete(from);
  };
  const remove = (path: string): void => {
    fate.step();
    at(path);
    nodes.delete(path);
  };
  return {
    create(path) {
      free(path);
      return files.descriptor(files.add(path, "file", fate.unixMs()));
    },
    reopen(path) {
      fate.step();
      return files.descriptor(at(path));
    },
    write(fd, bytes, from, length, position) {
      const node = of(fd);
      const put = (count: number) => {
        grow(node, position + count);
        node.bytes.set(bytes.subarray(from, from + count), position);
        node.size = Math.max(node.size, position + count);
        node.changedMs = fate.unixMs();
      };
      try {
        fate.step();
      } catch (error) {
        put(Math.floor(fate.part() * length));
        throw error;
      }
      put(length);
    },
    read(fd, bytes, to, length, position) {
      const node = of(fd);
      const found = node.bytes.subarray(position, Math.min(position + length, node.size));
      bytes.set(found, to);
      return found.byteLength;
    },
    truncate(fd, sizeBytes) {
      fate.step();
      const node = of(fd);
      if (sizeBytes < node.size) node.bytes.fill(0, sizeBytes, node.size);
      grow(node, sizeBytes);
      node.size = sizeBytes;
    },
    sizeOf: (fd) => of(fd).size,
    async sync(fd) {
      of(fd);
      await fate.sync();
    },
    syncDirectory: () => fate.sync(),
    close(fd) {
      of(fd);
      open.delete(fd);
    },
    chmod(path) {
      fate.step();
      at(path);
    },
    renameExclusively(from, to) {
      free(to);
      move(from, to);
    },
    replace(from, to) {
      fate.step();
      move(from, to);
    },
    remove,
    removeLarge: (path) => Promise.resolve(remove(path)),
    makeDirectory(path) {
      free(path);
      files.add(path, "directory", fate.unixMs());
    },
    link(target, path) {
      free(path);
      files.add(path, "link", fate.unixMs(), target);
    },
    readLink: (path) => at(path).target,
    lock: () => Promise.reject(failure("ENOTSUP", "lock")),
    realPath(path) {
      at(path);
      return path;
    },
    entry: (path) => {
      const node = nodes.get(path);
      return node === undefined ? undefined : entryOf(node);
    },
    list: (path) =>
      [...nodes.keys()].filter((name) => name !== path && dirname(name) === path).map((name) =>
        name.slice(path.length + 1)
      ),
    readText: (path) => new TextDecoder().decode(at(path).bytes.subarray(0, at(path).size)),
    readBytes: (path) => at(path).bytes.slice(0, at(path).size),
    space: () => ({ freeBytes: TERABYTE, totalBytes: 2 * TERABYTE }),
  };
}

function entryOf({ kind, inode, size, changedMs }: Node): Entry {
  return { kind, inode, sizeBytes: size, changedMs, mode: 0o600, user: 0, device: DEVICE };
}

function grow(node: Node, size: number): void {
  if (node.bytes.byteLength >= size) return;
  const bytes = new Uint8Array(Math.max(size, 2 * node.bytes.byteLength, 4096));
  bytes.set(node.bytes.subarray(0, node.size));
  node.bytes = bytes;
}
