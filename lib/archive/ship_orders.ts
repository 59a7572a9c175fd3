/**
 * What a server and its shipping worker say to each other. Plain data: it crosses threads by structured clone.
 *
 * @module
 */
import type { StoreSettings } from "./store_requests.ts";

/** What a worker needs to ship a dump directory. */
export interface ShipSettings {
  /** Real path of the dump directory, with an outbox. */
  readonly root: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  readonly store: StoreSettings;
  /** Bytes a second while dumps arrive; `null` for no limit. */
  readonly rate: number | null;
  /** What an incomplete dump has to be left alone for. */
  readonly settleMs: number;
}

/** What the worker is told. */
export type ShipOrder =
  | { readonly order: "start"; readonly settings: ShipSettings }
  /** So many dumps arrive now; one has perhaps ended. */
  | { readonly order: "arriving"; readonly dumps: number };
