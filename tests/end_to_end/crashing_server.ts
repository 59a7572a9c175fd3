/** A server that does not live long. */
import { type ServerOptions, ServerProcess } from "./server_process.ts";

/** A server that is killed and started again on the same address, port and dump directory. */
export class CrashingServer {
  current: ServerProcess;
  kills = 0;
  /** What the servers before this one said. */
  readonly #past: string[] = [];
  readonly #options: ServerOptions;

  private constructor(current: ServerProcess, options: ServerOptions) {
    this.current = current;
    this.#options = options;
  }

  static async start(
    dir: string,
    args: readonly string[] = ["--no-dns"],
    env: Record<string, string> = {},
  ): Promise<CrashingServer> {
    const current = await ServerProcess.start({ dir, args, env });
    return new CrashingServer(current, { dir, address: current.address, port: current.port, args, env });
  }

  /** SIGKILL, then a new server. */
  async crash(): Promise<void> {
    await this.current.stop("SIGKILL");
    this.#past.push(...this.current.lines, `${new Date().toISOString()} killed`);
    this.kills++;
    this.current = await ServerProcess.start(this.#options);
  }

  /** Everything that all of them said. */
  get history(): string {
    return [...this.#past, ...this.current.lines].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.current[Symbol.asyncDispose]();
  }
}
