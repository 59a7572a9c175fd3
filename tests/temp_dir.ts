/**
 * Directories for tests of file operations: in memory where the system has such a thing, for many of them sync.
 */
const MEMORY = "/dev/shm";

/** A new directory's real path, removed when it is disposed of. */
export class TempDir {
  readonly path: string;

  constructor() {
    this.path = Deno.realPathSync(makeTempDir());
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function makeTempDir(): string {
  try {
    return Deno.makeTempDirSync({ dir: MEMORY, prefix: "netdump-test-" });
  } catch {
    return Deno.makeTempDirSync({ prefix: "netdump-test-" });
  }
}

/** Copies a directory with its hard links, symbolic links and modes. */
export function copyDirectory(from: string, to: string, copied = new Map<number, string>()): void {
  Deno.mkdirSync(to);
  for (const { name } of Deno.readDirSync(from)) {
    const [source, target] = [`${from}/${name}`, `${to}/${name}`];
    const { isDirectory, isSymlink, ino } = Deno.lstatSync(source);
    const same = copied.get(ino!);
    if (isDirectory) copyDirectory(source, target, copied);
    else if (isSymlink) Deno.symlinkSync(Deno.readLinkSync(source), target);
    else if (same !== undefined) Deno.linkSync(same, target);
    else {
      Deno.copyFileSync(source, target);
      copied.set(ino!, target);
    }
  }
}
