import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freshAddress, freshPort } from "./addresses.ts";
import { send } from "./send_process.ts";
import { TestServer } from "./test_server.ts";
import { encodeAck } from "../../lib/protocol/message.ts";
import { ServerProcess } from "./server_process.ts";

Deno.test("send --check finds a server that would take a dump, which logs it as a check and keeps nothing", async () => {
  await using server = await ServerProcess.start({ args: ["--no-dns"] });
  const to = `${server.address}:${server.port}`;
  const told = await send("--check", "-s", to);
  assertEquals([told.code, told.stdout], [0, ""]);
  assertMatch(
    told.stderr,
    new RegExp(`^${to} would take a dump: ${server.address}:\\d+ answered after [\\d.]+ ms\\.\\n$`),
  );
  const json = await send("--check", "-s", to, "--json", "-q", "--path", "somewhere");
  assertEquals([json.code, json.stderr], [0, ""]);
  const { ready, answeredBy, finishedAcked, path, error } = JSON.parse(json.stdout);
  assertEquals([ready, finishedAcked, path, error], [true, true, "somewhere", null]);
  assertStringIncludes(answeredBy, server.address);
  await server.until(() => server.log("empty").length === 2, "the checks");
  assertStringIncludes(server.log("empty")[0]!.message, "a check");
  assertEquals(server.names(), []);
});

Deno.test("send --check tells what cannot be known of a path, and who answered besides the server", async () => {
  const client = freshAddress();
  using stranger = new Stranger(client);
  const server = new TestServer({
    ack: ({ seqno }) => {
      stranger.say(encodeAck(seqno));
      return 50;
    },
  });
  try {
    const { code, stderr } = await send("--check", "-s", server.target, "-c", client, "--path", 'a"b');
    assertEquals(code, 0);
    const [first, path, other, end] = stderr.split("\n");
    assertMatch(first!, /would take a dump/);
    assertEquals(
      path,
      'Whether the path "a\\"b" was taken cannot be known: a server that refuses it answers all the same.',
    );
    assertEquals([other, end], [`${stranger.name} answered, too: a kernel does not hear it.`, ""]);
  } finally {
    await server.close();
  }
});

/** Somebody who answers clients of others. */
class Stranger {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: freshAddress(), port: 0 });
  readonly #client: string;

  constructor(client: string) {
    this.#client = client;
  }

  get name(): string {
    const { hostname, port } = this.#socket.addr as Deno.NetAddr;
    return `${hostname}:${port}`;
  }

  say(bytes: Uint8Array): void {
    void this.#socket.send(bytes, { transport: "udp", hostname: this.#client, port: 20024 });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

Deno.test("send --check from another port than kernels use says what that may do, and serve refuses it with the reason", async () => {
  await using server = await ServerProcess.start({ args: ["--no-dns"] });
  const port = freshPort();
  const to = ["-s", `${server.address}:${server.port}`, "--client-port", `${port}`];
  const { code, stderr } = await send("--check", ...to, "--retries", "0", "--timeout", "300ms");
  assertEquals(code, 1);
  assertStringIncludes(
    stderr,
    `answer to port 20024 only, which kernels use, and the client port is ${port}`,
  );
  const { cause } = await server.event("refused");
  assertEquals(cause, "client-port");
});

Deno.test("send --check says what is wrong where nobody answers, and what it waits for", async () => {
  const nobody = `${freshAddress()}:${freshPort()}`;
  const { code, stderr } = await send("--check", "-s", nobody, "--retries", "3", "--timeout", "600ms");
  assertEquals(code, 1);
  assertStringIncludes(stderr, "Waiting for an answer from");
  assertStringIncludes(stderr, `No answer from ${nobody}`);
});

Deno.test("send --check takes no dump, and a dump is asked for without it", async () => {
  const surplus = await send("--check", "-s", "127.0.0.1", "vmcore.w1.0");
  assertEquals([surplus.code, surplus.stderr.includes("--check sends no dump")], [2, true]);
  const missing = await send("-s", "127.0.0.1");
  assertEquals([missing.code, missing.stderr.includes("Missing VMCORE")], [2, true]);
});
