/** What `send` says and does where it cannot just send: each message once, as a person sees it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { freshAddress, freshPort } from "./addresses.ts";
import { randomBytes, send, sendCommandLine, withDumpDirectory } from "./send_process.ts";
import { TestServer } from "./test_server.ts";

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));
const windows = Deno.build.os === "windows";

/** `send` without `--client`, unlike {@linkcode send}, that waits for somebody until it is disposed of. */
async function waitingSend(...args: string[]): Promise<AsyncDisposable> {
  const process = new Deno.Command(Deno.execPath(), {
    args: sendCommandLine(args),
    ...{ stdin: "null", stdout: "null", stderr: "piped" },
  }).spawn();
  const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("Waiting for an answer")) {
    const { value, done } = await reader.read();
    assert(!done, text);
    text += value;
  }
  return {
    async [Symbol.asyncDispose]() {
      process.kill("SIGINT");
      await Promise.all([reader.cancel(), process.status]);
    },
  };
}

Deno.test({
  name: "send opens no FIFO and no device, which would keep it waiting for ever, deaf to signals",
  ignore: windows,
  fn: () =>
    withDumpDirectory(async (directory, write) => {
      const fifo = join(directory, "fifo");
      await new Deno.Command("mkfifo", { args: [fifo] }).output();
      await Deno.symlink(fifo, join(directory, "link"));
      for (const path of [fifo, join(directory, "link"), "/dev/zero", "/dev/null"]) {
        const { code, stderr } = await send("-s", "127.0.0.1", path);
        assertEquals([code, stderr], [1, `netdump: Cannot send "${path}": it is not a regular file\n`]);
      }
      const dump = await write("x", randomBytes(4096, 1));
      for (const option of ["--header", "--key"]) {
        const { code, stderr } = await send("-s", "127.0.0.1", option, fifo, dump);
        assertEquals(code, 1);
        assertMatch(stderr, /^netdump: .*fifo".*not a regular file/);
      }
    }),
});

Deno.test("send says whom it waits for while nobody answers, and nothing of it where somebody does, or when it is to be quiet", () =>
  withDumpDirectory(async (_, write) => {
    const dump = await write("x", randomBytes(4096, 1));
    const nobody = `${freshAddress()}:${freshPort()}`;
    const waiting = /^Waiting for an answer from [\d.]+ \.\.\.$/m;
    const patience = ["--retries", "3", "--timeout", "600ms"];
    assertMatch((await send("-s", nobody, ...patience, dump)).stderr, waiting);
    assert(!waiting.test((await send("-q", "-s", nobody, ...patience, dump)).stderr));
    const server = new TestServer({ ack: ({ offset }) => offset === 0 ? 0 : 50 });
    try {
      const slow = await write("y", randomBytes(400_000, 2));
      const { code, stderr } = await send("-s", server.target, "--rate", "200k", slow);
      assertEquals([code, waiting.test(stderr)], [0, false], stderr);
    } finally {
      await server.close();
    }
  }));

Deno.test("send without --client sends from the address that reaches the server, and leaves its port to those who send from another", () =>
  withDumpDirectory(async (_, write) => {
    const dump = await write("x", randomBytes(4096, 1));
    // Nobody has this port of 127.0.0.1, which is where a server of 127.0.0.0/8 is reached from.
    const port = `${freshPort()}`;
    const nobody = `${freshAddress()}:${freshPort()}`;
    const patience = ["--retries", "100", "--timeout", "600ms", "--client-port", port];
    await using _first = await waitingSend("-s", nobody, ...patience, dump);
    const short = ["--retries", "0", "--timeout", "50ms", "--client-port", port];
    const other = await send("-s", nobody, "-c", freshAddress(), ...short, dump);
    assertMatch(other.stderr, /^netdump: No answer from/m);
    const same = await send("-s", nobody, "-c", "127.0.0.1", ...short, dump);
    assertMatch(same.stderr, /^netdump: Cannot send from 127\.0\.0\.1:\d+: the port is in use/m);
  }));

Deno.test("send and send --check tell a name that nobody knows as that", async () => {
  for (const args of [["--check"], [MAIN]]) {
    const { code, stderr } = await send("-s", "no-such-host.invalid", "--force", ...args);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^netdump: Cannot find an IPv4 address of "no-such-host\.invalid": no name server (and no hosts file has one|answers)$/m,
    );
  }
});

const noFull = Deno.build.os !== "linux" ? "there is no /dev/full" : undefined;
Deno.test({
  name: `every command says that its output cannot be written${noFull ? ` [skipped: ${noFull}]` : ""}`,
  ignore: noFull !== undefined,
  fn: () =>
    withDumpDirectory(async (directory, write) => {
      const dump = await write("x", randomBytes(4096, 1));
      const nobody = [
        "-s",
        `127.0.0.1:${freshPort()}`,
        "--retries",
        "0",
        "--timeout",
        "50ms",
        "-q",
        "--json",
      ];
      for (
        const args of [
          ["--help"],
          ["--version"],
          ["completions", "bash"],
          ["inspect", dump],
          ["inspect", "--json", dump, dump],
          ["inspect", directory],
          ["send", "--check", "-c", freshAddress(), ...nobody],
          ["send", "-c", freshAddress(), ...nobody, dump],
        ]
      ) {
        const command = [Deno.execPath(), "run", "--no-prompt", "-A", MAIN, ...args];
        const { code, stderr } = await new Deno.Command("sh", {
          args: ["-c", `exec "$@" > /dev/full`, "sh", ...command],
          stdin: "null",
        }).output();
        const said = new TextDecoder().decode(stderr).split("\n").filter((line) => !line.includes("warning"));
        const expected = ["netdump: Cannot write to standard output: no space left on device", ""];
        assertEquals([code, ...said], [1, ...expected], args.join(" "));
      }
    }),
});
