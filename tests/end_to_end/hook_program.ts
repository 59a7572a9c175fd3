/**
 * A shell script to be run as a hook, in a directory of its own.
 */
import { join } from "@std/path";

/** A program with the given lines of `sh`. */
export class HookProgram {
  readonly path: string;
  readonly #dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });

  constructor(script: string) {
    this.path = join(this.#dir, "hook");
    Deno.writeTextFileSync(this.path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#dir, { recursive: true });
  }
}
