import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { MessageType } from "../../lib/protocol/message.ts";
import { SHARED } from "../helpers.ts";
import { isInstalled } from "../programs.ts";
import { freshAddress } from "./addresses.ts";
import { Relay } from "./relay.ts";
import { randomBytes, send, sendCommandLine, withDumpDirectory } from "./send_process.ts";
import { TestServer } from "./test_server.ts";

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));

async function run(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Defines a test that is skipped, and says why, where something it needs is missing. */
function testWith(name: string, missing: string | undefined, fn: () => Promise<void>): void {
  Deno.test({
    name: missing === undefined ? name : `${name} [skipped: no ${missing}]`,
    ignore: missing !== undefined,
    fn,
  });
}

const noShared = SHARED === undefined ? "../shared" : undefined;
const noGcc = isInstalled("gcc") ? undefined : "gcc";
const noBzip2 = isInstalled("bzip2") ? undefined : "bzip2";
const noScript = isInstalled("script") ? undefined : "script(1)";

async function sameFile(a: string, b: string): Promise<boolean> {
  return (await new Deno.Command("cmp", { args: ["-s", a, b] }).output()).success;
}

testWith(
  "send and the reference server in C: identical, with a window and as each kernel",
  noShared ?? noGcc,
  () =>
    withDumpDirectory(async (directory, write) => {
      const binary = `${directory}/refserver`;
      await run("gcc", "-O2", "-o", binary, fromFileUrl(new URL("tools/refserver.c", SHARED)));
      const path = await write("x", randomBytes(3_000_001, 1));
      const address = freshAddress();
      const server = new Deno.Command(binary, { args: [address, directory] }).spawn();
      try {
        for (
          const args of [[], ["--mtu", "1500"], ["--mtu", "9000"], ["--kernel", "12"], ["--kernel", "main"]]
        ) {
          const client = freshAddress();
          const { code, stderr } = await send("-s", address, "-c", client, ...args, path);
          assertEquals(code, 0, stderr);
          assert(await sameFile(path, `${directory}/ref.${client}`), args.join(" "));
        }
      } finally {
        server.kill("SIGTERM");
        await server.status;
      }
    }),
);

/** Runs `netdump serve` while a test does. */
async function withServe(directory: string, address: string, test: () => Promise<void>): Promise<void> {
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, "serve", "-d", directory, "-a", address, "--no-dns"],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let log = "";
  const listen = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) log += text;
  };
  const listening = Promise.all([listen(server.stdout), listen(server.stderr)]);
  try {
    for (let i = 0; !log.includes("Waiting for clients"); i++) {
      if (i === 200) throw new Error(`serve does not start: ${log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await test();
  } finally {
    server.kill("SIGTERM");
    await server.status;
    await listening;
  }
}

for (const architecture of ["amd64", "arm64"]) {
  testWith(
    `send of the real ${architecture} vmcore to serve: identical, and sparse where it was`,
    noShared ?? noBzip2,
    () =>
      withDumpDirectory(async (directory) => {
        const path = `${directory}/vmcore.0`;
        const packed = fromFileUrl(new URL(`vmcores/vmcore-${architecture}-minidump.bz2`, SHARED));
        await run(
          "sh",
          "-c",
          `bzip2 -dc '${packed}' > '${path}.full' && cp --sparse=always '${path}.full' '${path}'`,
        );
        await Deno.mkdir(`${directory}/received`);
        const [address, client] = [freshAddress(), freshAddress()];
        await withServe(`${directory}/received`, address, async () => {
          const { code, stderr } = await send("-s", address, "-c", client, "--panic", "real", path);
          assertEquals(code, 0, stderr);
        });
        const received = `${directory}/received/vmcore.${client}.0`;
        assert(await sameFile(path, received));
        const { size, blocks } = Deno.statSync(received);
        assertLess(512 * (blocks ?? 0), size / 10, "bytes on the disk");
      }),
  );
}

Deno.test("send --kernel 14 through loss of 3 % each way to serve: identical, the masks do no harm (P4)", () =>
  withDumpDirectory(async (directory, write) => {
    const path = await write("vmcore.0", randomBytes(12 * 65536, 3));
    await Deno.mkdir(`${directory}/received`);
    const address = freshAddress();
    const relay = new Relay({ server: { hostname: address }, loss: 0.03, seed: 4 });
    try {
      await withServe(`${directory}/received`, address, async () => {
        const args = ["--kernel", "14", "--timeout", "200ms", "--retries", "50", "--json", path];
        const { code, stdout, stderr } = await send("-s", relay.address, ...args);
        assertEquals(code, 0, stderr);
        assertGreater(JSON.parse(stdout).resends, 5);
      });
      assertGreater(relay.counters.lost, 10);
      assertEquals(
        await Deno.readFile(`${directory}/received/vmcore.${relay.clientAddress}.0`),
        await Deno.readFile(path),
      );
    } finally {
      await relay.close();
    }
  }));

testWith("send draws its progress on a terminal only, and removes it", noScript, async () => {
  const server = new TestServer();
  try {
    await withDumpDirectory(async (_, write) => {
      const path = await write("vmcore.w1.0", randomBytes(200_000, 2));
      const args = ["-s", server.target, "-c", freshAddress(), "--rate", "200k", path];
      const words = [Deno.execPath(), ...sendCommandLine(args)].map((word) => `'${word}'`).join(" ");
      const onTerminal = await run("script", "-qec", words, "/dev/null");
      assertMatch(onTerminal, /\rvmcore\.w1\.0 \[.*>.*\] .*%/);
      assert(onTerminal.includes(`\r\x1b[KSent ${path} to `), "the bar is removed");
      const { stderr } = await send(...args.map((arg) => arg === "200k" ? "100M" : arg));
      assertEquals(stderr.includes("\r") || stderr.includes("\x1b"), false);
      assertEquals(server.count(MessageType.FINISHED) > 0, true);
    });
  } finally {
    await server.close();
  }
});
