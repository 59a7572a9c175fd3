/**
 * Which options of `netdump inspect` go together, and the private key they name.
 *
 * @module
 */

import {
  needsPassphrase,
  type PrivateKey,
  PrivateKeyError,
  readPrivateKey,
} from "../../inspect/open/private_key.ts";
import { describeError } from "../../os/system_error.ts";
import { quote } from "../../text/escape.ts";
import { OperationError } from "../exit_status.ts";
import type { Values } from "../option.ts";
import type { inspectOptions } from "../options.ts";
import { UsageError } from "../parse.ts";
import { askPassphrase, readPassphraseFile } from "./passphrase.ts";

/** The options' values. */
export type Options = Values<typeof inspectOptions>;

/** What is printed instead of the findings; one at a time. */
const ACTIONS = ["physical", "virtual", "member", "output", "core-txt"] as const;
/** What changes how findings are printed, and says nothing about an action. */
const VIEWS = ["json", "dmesg", "verify"] as const;
/** Where its symbols are. */
const OF_SYMBOLS: readonly string[] = ["kernel", "modules", "spool"];
/** What is asked about the kernel. */
const ABOUT_THE_KERNEL = ["kernel", "modules", "threads", "processes", "variable", "spool"] as const;

/**
 * Refuses options that contradict each other.
 *
 * @throws {UsageError}
 */
export function checkInspectOptions(options: Options, operands: readonly string[]): void {
  const [action, second] = ACTIONS.filter((name) => isGiven(options, name));
  if (second !== undefined) throw new UsageError(`Options --${action} and --${second} exclude each other`);
  for (const view of VIEWS) {
    if (action !== undefined && options[view]) {
      throw new UsageError(`Options --${action} and --${view} exclude each other`);
    }
  }
  const memory = action === "physical" || action === "virtual";
  if (options.raw && !memory) throw new UsageError("Option --raw needs --physical or --virtual");
  if (options.length !== undefined && !memory) {
    throw new UsageError("Option --length needs --physical or --virtual");
  }
  if (options.priorities && !options.dmesg) throw new UsageError("Option --priorities needs --dmesg");
  // Messages alone are printed; with --json all stands side by side.
  for (const name of ABOUT_THE_KERNEL) {
    if (!isGiven(options, name)) continue;
    if (options.dmesg && !options.json) {
      throw new UsageError(`Option --${name} has no use with --dmesg, unless with --json`);
    }
    // A report tells what crashinfo's does, by whichever symbols there are; a full dump's addresses take a kernel.
    const ofAction = action === "core-txt" && OF_SYMBOLS.includes(name) ||
      action === "virtual" && name === "kernel";
    if (action !== undefined && !ofAction) {
      throw new UsageError(`Options --${action} and --${name} exclude each other`);
    }
  }
  if (options["passphrase-file"] !== undefined && options["private-key"] === undefined) {
    throw new UsageError("Option --passphrase-file needs --private-key");
  }
  if (action !== undefined && operands.length > 1) throw new UsageError(`Option --${action} takes one FILE`);
}

function isGiven(options: Options, name: keyof Options): boolean {
  return options[name] !== undefined && options[name] !== false && String(options[name]) !== "";
}

/** What says nothing about a file. */
const OF_DIRECTORIES = ["since", "host", "state", "limit", "group"] as const;

/**
 * Refuses options that pick from a directory where there is none.
 *
 * @throws {UsageError}
 */
export function checkSelection(options: Options, directories: number): void {
  const given = OF_DIRECTORIES.find((name) => options[name] !== undefined && options[name] !== false);
  if (given !== undefined && directories === 0) {
    throw new UsageError(`Option --${given} needs a directory`);
  }
}

/** What says nothing about a directory of dumps. */
const OF_FILES = [
  "output",
  "member",
  "core-txt",
  "physical",
  "virtual",
  "dmesg",
  "private-key",
  ...ABOUT_THE_KERNEL,
] as const;

/**
 * Refuses options that a directory has no use for, before anything is done.
 *
 * @throws {UsageError}
 */
export function checkDirectoryOptions(options: Options, directory: string): void {
  const given = OF_FILES.find((name) => isGiven(options, name));
  if (given !== undefined) {
    throw new UsageError(`Option --${given} takes a dump, and ${quote(directory)} is a directory`);
  }
}

/** What is about the store itself. */
const OF_STORES = ["s3-endpoint", "s3-credentials"] as const;

/**
 * Refuses options about buckets where none is named.
 *
 * @throws {UsageError}
 */
export function checkBucketOptions(options: Options, operands: readonly string[]): void {
  const ofStore = OF_STORES.find((name) => options[name] !== undefined);
  if (ofStore !== undefined && !operands.some((path) => path.startsWith("s3://"))) {
    throw new UsageError(`Option --${ofStore} needs s3://... as FILE`);
  }
}

/** PEM files are a few KiB. */
const PEM_LIMIT = 2 ** 20;

/**
 * Reads the private key, and asks for its passphrase if it has one.
 *
 * @throws {OperationError}
 */
export async function loadPrivateKey(options: Options): Promise<PrivateKey | null> {
  const path = options["private-key"];
  if (path === undefined) return null;
  let pem: string;
  try {
    const { size } = Deno.statSync(path);
    if (size > PEM_LIMIT) {
      throw new OperationError(`Cannot use the private key ${quote(path)}: it is no PEM file`);
    }
    pem = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof OperationError) throw error;
    throw new OperationError(`Cannot read the private key ${quote(path)}: ${describeError(error)}`);
  }
  const passphraseFile = options["passphrase-file"];
  const passphrase = !needsPassphrase(pem)
    ? undefined
    : passphraseFile === undefined
    ? await askPassphrase(`Passphrase of ${quote(path)}: `)
    : await readPassphraseFile(passphraseFile);
  try {
    return readPrivateKey(pem, passphrase);
  } catch (error) {
    if (!(error instanceof PrivateKeyError)) throw error;
    throw new OperationError(`Cannot use the private key ${quote(path)}: ${error.message}`);
  }
}
