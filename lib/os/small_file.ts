/**
 * Files that are small by their nature, whatever somebody made of them: a pipe with such a name would keep us waiting for ever,
 * a file of gigabytes take all memory.
 *
 * @module
 */

/**
 * Reads the beginning of a regular file.
 *
 * @param mostBytes no more is read; one more than such a file may have shows that it has too many
 * @throws {TypeError} if it is no regular file; Deno's errors, such as `NotFound`
 */
export function readSmallFile(path: string, mostBytes: number): Uint8Array<ArrayBuffer> {
  // Before it is opened, which waits for the other end of a pipe.
  const { isFile, size } = Deno.statSync(path);
  if (!isFile) throw new TypeError("it is not a regular file");
  using file = Deno.openSync(path);
  // A file below /proc or one that grows has more than it says: then there is another round.
  let bytes = new Uint8Array(Math.min(size + 1, mostBytes));
  let filled = 0;
  while (filled < mostBytes) {
    if (filled === bytes.byteLength) {
      const larger = new Uint8Array(Math.min(2 * bytes.byteLength, mostBytes));
      larger.set(bytes);
      bytes = larger;
    }
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return bytes.slice(0, filled);
}
