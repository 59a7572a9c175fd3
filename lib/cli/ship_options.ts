/**
 * Where a shelf is and who asks it: options, environment and the file of `--s3-credentials`, together.
 *
 * @module
 */
import {
  credentialsOf,
  defaultEndpoint,
  parseCredentials,
  parseEndpoint,
  STORE_VARIABLES,
  type StoreVariables,
} from "../archive/credentials.ts";
import type { ShelfLocation } from "../archive/keys.ts";
import type { StoreSettings } from "../archive/store_requests.ts";
import { environmentVariables } from "../os/environment.ts";
import { readSmallFile } from "../os/small_file.ts";
import { describeError } from "../os/system_error.ts";
import { quote } from "../text/escape.ts";
import { OperationError } from "./exit_status.ts";

/** Permission bits by which others could read a secret. */
const OTHERS = 0o077;
const MAX_FILE_BYTES = 64 * 1024;

/** Options about a store. */
export interface StoreOptions {
  readonly "s3-endpoint": string | undefined;
  readonly "s3-credentials": string | undefined;
}

/**
 * Settings of a store.
 *
 * @throws {OperationError} if a key is missing, or others can read the file
 */
export function storeSettings({ bucket }: ShelfLocation, options: StoreOptions): StoreSettings {
  const path = options["s3-credentials"];
  const variables = { ...variablesOfEnvironment(), ...(path === undefined ? {} : readCredentials(path)) };
  try {
    const credentials = credentialsOf(variables);
    const endpoint = options["s3-endpoint"] ?? variables.AWS_ENDPOINT_URL ??
      defaultEndpoint(credentials.region);
    return { endpoint: parseEndpoint(endpoint), bucket, credentials };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OperationError(
      `Cannot reach s3://${bucket}: ${error.message}; set it in the environment or with --s3-credentials`,
    );
  }
}

function readCredentials(path: string): StoreVariables {
  const cannot = (reason: string) => new OperationError(`Cannot use credentials ${quote(path)}: ${reason}`);
  let text: string;
  try {
    const { mode } = Deno.statSync(path);
    if (mode !== null && Deno.build.os !== "windows" && (mode & OTHERS) !== 0) {
      throw cannot(`others can use it (mode ${(mode & 0o777).toString(8)}); chmod 600 it`);
    }
    const bytes = readSmallFile(path, MAX_FILE_BYTES + 1);
    if (bytes.byteLength > MAX_FILE_BYTES) throw cannot("it is too long");
    text = new TextDecoder().decode(bytes);
  } catch (error) {
    throw error instanceof OperationError ? error : cannot(describeError(error));
  }
  try {
    return parseCredentials(text);
  } catch (error) {
    throw cannot((error as Error).message);
  }
}

/** Those of the variables that are set to something. */
function variablesOfEnvironment(): StoreVariables {
  const set = Object.entries(environmentVariables(STORE_VARIABLES)).filter(([, value]) => value !== "");
  return Object.fromEntries(set);
}
