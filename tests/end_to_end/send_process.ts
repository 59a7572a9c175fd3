/** Runs `netdump send` as a process of its own, and makes the dumps it sends. */
import denoJson from "../../deno.json" with { type: "json" };
import { fromFileUrl, join } from "@std/path";
import { seededRandom } from "../helpers.ts";
import { freshAddress } from "./addresses.ts";

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));
/** The permissions of `deno task send`. */
const PERMISSIONS = denoJson.tasks.send.split(" ").slice(2, -2);

/** Gives up soon on who does not answer, and not on who does on a busy machine. */
export const PATIENT = ["--timeout", "600ms", "--retries", "2"] as const;

/** What a finished process left. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `netdump send`. */
export interface Sending {
  readonly process: Deno.ChildProcess;
  readonly ended: Promise<Ended>;
}

/** The command line of Deno that runs the program. */
export function sendCommandLine(args: readonly string[]): string[] {
  return ["run", ...PERMISSIONS, MAIN, "send", ...args];
}

/** Starts `netdump send` from a loopback address of its own. */
export function startSend(...args: string[]): Sending {
  const from = args.includes("-c") ? [] : ["-c", freshAddress()];
  const process = new Deno.Command(Deno.execPath(), {
    args: sendCommandLine([...from, ...args]),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = process.output().then(({ code, stdout, stderr }) => ({
    code,
    stdout: new TextDecoder().decode(stdout),
    stderr: new TextDecoder().decode(stderr),
  }));
  return { process, ended };
}

/** Runs `netdump send` to its end. */
export function send(...args: string[]): Promise<Ended> {
  return startSend(...args).ended;
}

/** Bytes from a seed. */
export function randomBytes(sizeBytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  const random = seededRandom(seed);
  for (let i = 0; i < sizeBytes; i += 4) {
    const word = random() * 0x100000000;
    for (let k = 0; k < 4 && i + k < sizeBytes; k++) bytes[i + k] = word >>> (8 * k);
  }
  return bytes;
}

/** A directory for dumps that goes away with the test. */
export async function withDumpDirectory(
  test: (directory: string, write: (name: string, bytes: Uint8Array) => Promise<string>) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "netdump-send-" });
  try {
    await test(directory, async (name, bytes) => {
      const path = join(directory, name);
      await Deno.writeFile(path, bytes);
      return path;
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
