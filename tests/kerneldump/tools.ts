/** Other people's tools as oracles: tests that need one are skipped, and say so, where it is not installed. */

import { isInstalled } from "../programs.ts";

/** Runs the tool on a file with these contents: the arguments, then the file's name. Gives what it printed. */
export type RunTool = (args: readonly string[], contents: Uint8Array) => Promise<string>;

/** Defines a test that needs a tool. */
export function testWithTool(tool: string, name: string, test: (run: RunTool) => Promise<void>): void {
  const installed = isInstalled(tool);
  Deno.test({
    name: installed ? name : `${name} [skipped: ${tool} is not installed]`,
    ignore: !installed,
    fn: () => test((args, contents) => runTool(tool, args, contents)),
  });
}

async function runTool(tool: string, args: readonly string[], contents: Uint8Array): Promise<string> {
  const file = await Deno.makeTempFile({ prefix: "netdump-test-" });
  try {
    await Deno.writeFile(file, contents);
    const { code, stdout, stderr } = await new Deno.Command(tool, { args: [...args, file] }).output();
    const text = new TextDecoder();
    if (code !== 0) throw new Error(`${tool} exited with ${code}: ${text.decode(stderr)}`);
    return text.decode(stdout);
  } finally {
    await Deno.remove(file);
  }
}
