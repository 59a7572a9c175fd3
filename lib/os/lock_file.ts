/**
 * Files that only one process holds at a time: the pid file, and the lock of the dump directory.
 *
 * @module
 */

/**
 * A lock that somebody else holds is known after this time; Deno 2.4 can only wait for locks. A program that a killed
 * server was about to start holds it, too, until it runs.
 */
const PATIENCE_MS = 1000;

/** A lock that another process holds. */
export class LockedError extends Error {
  override readonly name = "LockedError";
}

/**
 * Opens a file, creating it if need be, locks it, and writes this process's id into it.
 *
 * @returns the open file; the lock lasts until it is closed or the process ends
 * @throws {LockedError} with the holder's process id, if it is readable
 * @throws {TypeError} if it is no regular file, or holds something else than a process id
 */
export async function lockFile(path: string): Promise<Deno.FsFile> {
  // Opening a FIFO waits for whoever never comes.
  const there = await Deno.lstat(path).catch(() => undefined);
  if (there !== undefined && !there.isFile) throw new TypeError(`${path} is not a regular file`);
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  const before = await read(file);
  if (!/^\d*$/.test(before.trim())) {
    file.close();
    throw new TypeError("the file exists and is not a pid file");
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const locked = file.lock(true).then(() => true);
  const late = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), PATIENCE_MS));
  const won = await Promise.race([locked, late]);
  clearTimeout(timer);
  // The file stays open: closing it would not end the wait.
  if (!won) throw new LockedError(before.trim() === "" ? "" : `process ${before.trim()}`);
  await file.truncate();
  await file.seek(0, Deno.SeekMode.Start);
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return file;
}

async function read(file: Deno.FsFile): Promise<string> {
  const buffer = new Uint8Array(64);
  const count = await file.read(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, count));
}
