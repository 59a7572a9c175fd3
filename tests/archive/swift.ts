/**
 * A real object store for tests: OpenStack Swift with its S3 interface, of Debian's package python3-swift.
 */
import { createHash } from "node:crypto";
import { fromFileUrl } from "@std/path";
import { SeekableZstdSource } from "../../lib/bytes/zstd/seekable_source.ts";
import { memorySource } from "../bytes/memory_source.ts";
import { ObjectStore } from "../../lib/archive/object_store.ts";
import type { StoreSettings } from "../../lib/archive/store_requests.ts";

const PYTHON = "/usr/bin/python3";
const SCRIPT = fromFileUrl(new URL("one_process_swift.py", import.meta.url));
const PORTS = 4;
const BUCKET = "dumps";
/** Where it keeps parts of uploads. */
const SEGMENTS = `${BUCKET}+segments`;
/** Its inner servers, by their ports behind the first. */
const SERVERS = { container: 2, object: 3 } as const;
const LOOPBACK = "127.0.0.1";

/** Why there is no store; `undefined` if there is. */
export const withoutSwift: string | undefined = hasSwift() ? undefined : "python3-swift is not installed";

/** Its modules are looked for, not loaded: that takes Python a second. */
function hasSwift(): boolean {
  const look = "import importlib.util, sys; sys.exit(None in map(importlib.util.find_spec, sys.argv[1:]))";
  try {
    const args = ["-c", look, "swift", "eventlet"];
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
  /** Where it listens. */
  address = LOOPBACK;
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
    const swift = await Swift.#startAnywhere(directory);
    await swift.makeBucket();
    return swift;
  }

  /** Before it listens, another store may take a port of its. */
  static async #startAnywhere(directory: string): Promise<Swift> {
    for (let tries = 3;; tries--) {
      const port = freePorts();
      try {
        return new Swift(port, directory, await spawn([SCRIPT, directory, `${port}`]));
      } catch (error) {
        if (tries === 1) throw error;
      }
    }
  }

  get endpoint(): string {
    return `http://${this.address}:${this.port}`;
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

  /**
   * Starts it again with what it had.
   *
   * @param wrap wraps the command, such as in a namespace
   */
  async restart(address = LOOPBACK, wrap?: (command: readonly string[]) => readonly string[]): Promise<void> {
    this.address = address;
    this.#process = await spawn([SCRIPT, this.#directory, `${this.port}`, address], wrap);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Sets its clock, by how much it is off. */
  async setClock(offS: number): Promise<void> {
    await Deno.writeTextFile(`${this.#directory}/clock`, `${offS}`);
  }

  /** How many bytes the bucket may have; `null` for any number. */
  async setQuota(bytes: number | null): Promise<void> {
    const headers = { "x-container-meta-quota-bytes": `${bytes ?? ""}` };
    for (const container of [BUCKET, SEGMENTS]) {
      await this.#tell("container", `/AUTH_test/${container}`, headers);
    }
  }

  /** Lets it go on listing an upload whose object it made, as one does that was killed before it forgot. */
  async rememberUpload(key: string, id: string): Promise<void> {
    const container = `/AUTH_test/${SEGMENTS}`;
    await this.#tell("object", `${container}/${key}/${id}`, {
      "content-type": "application/octet-stream",
      "x-container-host": `${LOOPBACK}:${this.port + SERVERS.container}`,
      "x-container-partition": `${partitionOf(container)}`,
      "x-container-device": "d",
    });
  }

  /** The store's own login needs a memcached, so its inner servers are told. */
  async #tell(server: keyof typeof SERVERS, path: string, more: Record<string, string>): Promise<void> {
    const headers = { "x-timestamp": (Date.now() / 1000).toFixed(5), ...more };
    const url = `http://${LOOPBACK}:${this.port + SERVERS[server]}/d/${partitionOf(path)}${path}`;
    const answer = await fetch(url, { method: "PUT", headers });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`Swift does not take ${path}: ${answer.status}`);
  }

  async makeBucket(): Promise<void> {
    await this.store.put("", new Uint8Array(0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

function partitionOf(path: string): number {
  return createHash("md5").update(`netdump${path}netdump`).digest()[0]! >> 6;
}

async function spawn(
  args: readonly string[],
  wrap: (command: readonly string[]) => readonly string[] = (command) => command,
): Promise<Deno.ChildProcess> {
  const [program, ...rest] = wrap([PYTHON, ...args]);
  const process = new Deno.Command(program!, {
    args: rest,
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
