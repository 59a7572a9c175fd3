/**
 * A real object store for tests: OpenStack Swift with its S3 interface, of Debian's package python3-swift.
 */
import { fromFileUrl } from "@std/path";
import { SeekableZstdSource } from "../../lib/bytes/zstd/seekable_source.ts";
import { memorySource } from "../bytes/memory_source.ts";
import { ObjectStore, type StoreSettings } from "../../lib/archive/object_store.ts";

const PYTHON = "/usr/bin/python3";
const SCRIPT = fromFileUrl(new URL("one_process_swift.py", import.meta.url));
const PORTS = 4;
const BUCKET = "dumps";

/** Why there is no store; `undefined` if there is. */
export const withoutSwift: string | undefined = hasSwift() ? undefined : "python3-swift is not installed";

function hasSwift(): boolean {
  try {
    const args = ["-c", "import swift.common.middleware.s3api, eventlet"];
    return new Deno.Command(PYTHON, { args, stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** A test that needs the store: skipped, and saying so, without. */
export function testWithSwift(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: withoutSwift === undefined ? name : `${name} [skipped: ${withoutSwift}]`,
    ignore: withoutSwift !== undefined,
    fn,
  });
}

/** What is stored, without the compression that it got on the way. */
export async function unpacked(stored: Uint8Array): Promise<Uint8Array> {
  const source = await SeekableZstdSource.open(memorySource(stored));
  return source === undefined ? stored : await source.read(0, source.size);
}

/** A store that runs. */
export class Swift implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  #process: Deno.ChildProcess;

  private constructor(port: number, directory: string, process: Deno.ChildProcess) {
    this.port = port;
    this.#directory = directory;
    this.#process = process;
  }

  /** Starts a store with an empty bucket. */
  static async start(): Promise<Swift> {
    // It keeps what it knows of files in extended attributes, which a memory file system need not have.
    const directory = await Deno.makeTempDir({ prefix: "netdump-swift-", dir: "/var/tmp" });
    const port = freePorts();
    const swift = new Swift(port, directory, await spawn(directory, port));
    await swift.makeBucket();
    return swift;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What `serve` and `inspect` need of the environment. */
  get environment(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_ACCESS_KEY_ID: "test:tester",
      AWS_SECRET_ACCESS_KEY: "testing",
      AWS_REGION: "us-east-1",
    };
  }

  /** Settings of the bucket, or of a wrong one. */
  settings(secretKey = "testing", bucket = BUCKET): StoreSettings {
    const credentials = {
      accessKey: "test:tester",
      secretKey,
      sessionToken: null,
      region: "us-east-1",
    };
    return { endpoint: this.endpoint, bucket, credentials };
  }

  /** The bucket. */
  get store(): ObjectStore {
    return new ObjectStore(this.settings());
  }

  /** Ends the store at once, as a kill does. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#process.stdin.close().catch(() => {});
    await this.#process.stdout.cancel();
  }

  /** Starts it again with what it had. */
  async restart(): Promise<void> {
    this.#process = await spawn(this.#directory, this.port);
  }

  async makeBucket(): Promise<void> {
    await this.store.put("", new Uint8Array(0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

async function spawn(directory: string, port: number): Promise<Deno.ChildProcess> {
  const process = new Deno.Command(PYTHON, {
    args: [SCRIPT, directory, `${port}`],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  if (value === undefined) {
    await process.stdin.close();
    throw new Error("Swift did not start");
  }
  return process;
}

/** The first of some ports in a row that are free, as far as one can tell. */
function freePorts(): number {
  for (;;) {
    const first = 20_200 + Math.floor(Math.random() * 10_000);
    try {
      for (let port = first; port < first + PORTS; port++) {
        Deno.listen({ hostname: "127.0.0.1", port }).close();
      }
      return first;
    } catch {
      // Taken.
    }
  }
}
