/**
 * The kernel-like client of the shared folder, compiled where it and a C compiler are there.
 */
import { fromFileUrl, join } from "@std/path";
import { SHARED } from "../helpers.ts";
import { isInstalled } from "../programs.ts";
import type { HeraldAddress } from "./raw_client.ts";

/** Why the client cannot be used here, for the names of tests that are skipped; `undefined` if it can. */
export const NO_KCLIENT: string | undefined = SHARED === undefined
  ? "no shared folder"
  : Deno.build.os !== "linux" || !isInstalled("gcc")
  ? "no gcc"
  : undefined;

/** What the client says of a transfer. */
export interface KclientReport {
  readonly exitStatus: number;
  readonly status: string;
  readonly stage: string;
  readonly bytes: number;
  readonly packets: number;
  readonly resends: number;
  readonly retries: number;
}

/**
 * Waits instead of polling, and for a minute: on a busy machine sixteen that poll keep the system from its own work, so that
 * files are synced late.
 */
export const PATIENTLY: readonly string[] = ["--block", "--retries", "60"];

/** Runs the client; it sends from the given address. */
export async function kclient(
  server: HeraldAddress,
  address: string,
  args: readonly string[],
): Promise<KclientReport> {
  const { code, stdout, stderr } = await new Deno.Command(await compile(), {
    args: ["--server", server.address, "--server-port", `${server.port}`, "--bind", address, ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout);
  if (text === "") throw new Error(`The client ended with ${code}: ${decoder.decode(stderr)}`);
  return { exitStatus: code, ...JSON.parse(text) };
}

let compiled: Promise<string> | undefined;

function compile(): Promise<string> {
  return compiled ??= (async () => {
    const source = fromFileUrl(new URL("tools/kclient.c", SHARED));
    const program = join(Deno.makeTempDirSync({ prefix: "netdump-test-" }), "kclient");
    globalThis.addEventListener("unload", () => Deno.removeSync(join(program, ".."), { recursive: true }));
    const { success, stderr } = await new Deno.Command("gcc", { args: ["-O2", "-o", program, source, "-lm"] })
      .output();
    if (!success) throw new Error(`Cannot compile the client: ${new TextDecoder().decode(stderr)}`);
    return program;
  })();
}
