/**
 * `serve --ship`: settings from options, and the worker that ships.
 *
 * @module
 */
import { makeOutbox } from "../archive/outbox.ts";
import { realFileSystem } from "../os/file_system.ts";
import { describeError } from "../os/system_error.ts";
import type { Observe } from "../serve/events.ts";
import { Ship } from "../serve/observers/ship.ts";
import { OperationError } from "./exit_status.ts";
import type { Values } from "./option.ts";
import type { serveOptions } from "./options.ts";
import { storeSettings } from "./ship_options.ts";

/** A server that runs takes up an incomplete dump within its timeout, one that is started again some time later. */
const SETTLE_MS = 60_000;

type Options = Pick<
  Values<typeof serveOptions>,
  "ship" | "s3-endpoint" | "s3-credentials" | "ship-rate" | "ship-keep" | "timeout" | "linger"
>;

/**
 * Starts shipping.
 *
 * @param root real path of the dump directory, whose state directory is there
 * @returns `undefined` without `--ship`
 * @throws {OperationError} if a key is missing or the outbox cannot be made
 */
export function openShipping(options: Options, root: string, observe: Observe): Ship | undefined {
  const { ship } = options;
  if (ship === undefined) return undefined;
  const store = storeSettings(ship, options);
  try {
    makeOutbox(realFileSystem, root);
  } catch (error) {
    throw new OperationError(`Cannot make the outbox in ${root}: ${describeError(error)}`);
  }
  return new Ship({
    settings: {
      root,
      prefix: ship.prefix,
      store,
      rate: options["ship-rate"] ?? null,
      settleMs: options.timeout + SETTLE_MS,
    },
    keep: options["ship-keep"] ?? null,
    lingerMs: options.linger,
    fs: realFileSystem,
    observe,
    startWorker: startShipper,
  });
}

function startShipper(permissions: Deno.PermissionOptionsObject): Worker {
  const options: WorkerOptions & { deno: { permissions: Deno.PermissionOptionsObject } } = {
    type: "module",
    name: "shipper",
    deno: { permissions },
  };
  return new Worker(new URL("./ship_worker.ts", import.meta.url), options);
}
