/** What tests of packages have in common. */
import { fromFileUrl, join } from "@std/path";

/** The top of the sources. */
export const ROOT = fromFileUrl(new URL("../../", import.meta.url));
/** Where the packages' files are. */
export const PACKAGING = join(ROOT, "docs/packaging");

/** Whether a program is there and runs. */
export function runs(program: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(program, { args, stdin: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** A test that says why it is skipped, if it is. */
export function skippable(name: string, reason: string | undefined, fn: () => Promise<void> | void): void {
  Deno.test({
    name: reason === undefined ? name : `${name} [skipped: ${reason}]`,
    ignore: reason !== undefined,
    fn,
  });
}

/** What a program printed; fails if it fails. */
export async function output(
  program: string,
  args: readonly string[],
  options: Deno.CommandOptions = {},
): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], stdin: "null", ...options });
  const { code, stdout, stderr } = await command.output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with status ${code}:\n${out}${err}`);
  return out!;
}

/** A file of the FreeBSD port as it is installed below a prefix. */
export function portFile(name: string, prefix: string): string {
  const words: Readonly<Record<string, string>> = {
    "%%PREFIX%%": prefix,
    "%%LOCALBASE%%": prefix,
    "%%DATADIR%%": `${prefix}/share/netdump`,
  };
  const text = Deno.readTextFileSync(join(PACKAGING, "freebsd/files", name));
  return text.replace(/%%[A-Z]+%%/g, (word) => words[word] ?? word);
}
