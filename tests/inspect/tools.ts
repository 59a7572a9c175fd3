/** Other people's tools as oracles. A test that needs one says in its name where it is absent, and is skipped. */

import { isInstalled } from "../programs.ts";

function missing(program: string): string {
  return isInstalled(program) ? "" : ` (skipped: no ${program} here)`;
}

/** Empty where the program is installed, else what to add to a test's name. */
export const withoutOpenssl = missing("openssl");
export const withoutGzip = missing("gzip");
export const withoutZstd = missing("zstd");
export const withoutFile = missing("file");
export const withoutReadelf = missing("readelf");

/** Runs a program on `input`; returns its exit status and what it printed. */
export async function run(
  program: string,
  args: string[],
  input: Uint8Array = new Uint8Array(0),
): Promise<{ code: number; stdout: Uint8Array; stderr: string }> {
  const process = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const writing = new Blob([input as BlobPart]).stream().pipeTo(process.stdin).catch(() => {});
  const { code, stdout, stderr } = await process.output();
  await writing;
  return { code, stdout, stderr: new TextDecoder().decode(stderr) };
}

/** Runs openssl on `input` and returns its output. */
export async function openssl(args: string[], input?: Uint8Array): Promise<Uint8Array> {
  const { code, stdout, stderr } = await run("openssl", args, input);
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  return stdout;
}
