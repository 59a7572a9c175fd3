/**
 * When is shipped: as soon as there is something, now and then to be sure, and after a failure later and later, but for ever.
 *
 * @module
 */
import type { Shipper } from "./shipper.ts";

const RESCAN_MS = 60_000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;

/** Runs a shipper. */
export class ShipLoop {
  readonly #shipper: Pick<Shipper, "tryStore" | "shipPending">;
  #isAwake = false;
  #wake: (() => void) | undefined;

  constructor(shipper: Pick<Shipper, "tryStore" | "shipPending">) {
    this.#shipper = shipper;
  }

  /** Something may be there to be shipped; a wait after a failure goes on. */
  wake(): void {
    this.#isAwake = true;
    this.#wake?.();
  }

  /** Ships for ever. */
  async run(): Promise<never> {
    let isReady = false;
    let retryMs = FIRST_RETRY_MS;
    for (;;) {
      this.#isAwake = false;
      isReady ||= await this.#shipper.tryStore();
      if (isReady && await this.#shipper.shipPending()) {
        retryMs = FIRST_RETRY_MS;
        if (!this.#isAwake) await this.#sleep(RESCAN_MS, true);
      } else {
        isReady = false;
        await this.#sleep(retryMs, false);
        retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
      }
    }
  }

  async #sleep(ms: number, mayWake: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    if (mayWake) this.#wake = resolve;
    await promise;
    this.#wake = undefined;
    clearTimeout(timer);
  }
}
