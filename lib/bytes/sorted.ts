/**
 * Binary search.
 *
 * @module
 */

/**
 * How many of some sorted things are at or below a place.
 *
 * @param length how many there are
 * @param isAtOrBelow true for the first of them, up to one, and false from there on
 */
export function countUpTo(length: number, isAtOrBelow: (index: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isAtOrBelow(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
