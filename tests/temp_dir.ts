/**
 * Directories for tests of file operations: in memory where the system has such a thing, for many of them sync.
 */
const MEMORY = "/dev/shm";

/** A new directory's real path, removed when it is disposed of. */
export class TempDir {
  readonly path: string;

  /** @param where on "disk" for those that hold permissions to the directory, which Deno has none of in /dev */
  constructor(where: "memory" | "disk" = "memory") {
    this.path = Deno.realPathSync(makeTempDir(where === "memory" ? MEMORY : undefined));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function makeTempDir(dir: string | undefined): string {
  const prefix = "netdump-test-";
  try {
    if (dir !== undefined) return Deno.makeTempDirSync({ dir, prefix });
  } catch {
    // Not every system has it.
  }
  return Deno.makeTempDirSync({ prefix });
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
