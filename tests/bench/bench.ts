/**
 * What every part of the bench needs.
 *
 * @module
 */
import type { Instruments } from "./instruments.ts";
import type { Place } from "./isolation.ts";
import type { Extent } from "./options.ts";

/** A bench that runs. */
export interface Bench {
  readonly place: Place;
  readonly extent: Extent;
  /** `undefined` where they cannot be built. */
  readonly instruments: Instruments | undefined;
  /** A compiled netdump, to be measured instead of the sources. */
  readonly program: string | undefined;
  readonly port: number;
  /** Where to keep the ratios of receiving, and those to compare with. */
  readonly save: string | undefined;
  readonly against: string | undefined;
  /** Prints markdown. */
  print(markdown: string): void;
  /** Tells a person who waits what is being done. */
  doing(what: string): void;
}
