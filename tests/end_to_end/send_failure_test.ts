import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { encodeAck, MessageType } from "../../lib/protocol/message.ts";
import { PATIENCE_MS } from "../patience.ts";
import { freshAddress } from "./addresses.ts";
import { PATIENT, randomBytes, send, startSend, withDumpDirectory } from "./send_process.ts";
import { type Behaviour, TestServer } from "./test_server.ts";

const { HERALD, VMCORE, KDH, FINISHED } = MessageType;

async function withServer(behaviour: Behaviour, test: (server: TestServer) => Promise<void>): Promise<void> {
  const server = new TestServer(behaviour);
  try {
    await test(server);
  } finally {
    await server.close();
  }
}

/** Waits until something holds. */
async function until(holds: () => boolean): Promise<void> {
  for (const lateMs = Date.now() + PATIENCE_MS; !holds();) {
    if (Date.now() > lateMs) throw new Error("It never came to hold");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Checks a failure: status 1, nothing on stdout, one line on stderr that names the program, no stack trace. */
function assertFailed(ended: { code: number; stdout: string; stderr: string }, pattern: RegExp): void {
  assertEquals([ended.code, ended.stdout], [1, ""]);
  const lines = ended.stderr.trimEnd().split("\n").filter((line) =>
    !/^netdump: warning|^Not finished/.test(line)
  );
  assertEquals(lines.length, 1, ended.stderr);
  assertMatch(ended.stderr, /^netdump: /m);
  assertMatch(lines[0] ?? "", pattern);
}

Deno.test("send gives up on a server that does not answer, and says after how many tries", () =>
  withServer({ ack: () => undefined }, (server) =>
    withDumpDirectory(async (_, write) => {
      const path = await write("x", randomBytes(4096, 1));
      const ended = await send("-s", server.target, "--timeout", "50ms", "--retries", "3", path);
      assertFailed(
        ended,
        new RegExp(
          `No answer from ${server.target} after 4 tries in [\\d.]+ m?s: no netdump server is there`,
        ),
      );
      assertEquals(server.messages.map(({ type, seqno }) => [type, seqno]), Array(4).fill([HERALD, 1]));
    })));

Deno.test("send --kernel makes two transmissions more than --retries says, as the kernel does", () =>
  withServer({ ack: () => undefined }, (server) =>
    withDumpDirectory(async (_, write) => {
      const path = await write("x", randomBytes(4096, 1));
      const ended = await send(
        "-s",
        server.target,
        "--kernel",
        "12",
        "--timeout",
        "50ms",
        "--retries",
        "3",
        path,
      );
      assertFailed(ended, /after 5 tries/);
      assertEquals(server.messages.length, 5);
    })));

Deno.test("send says at which offset a server stopped answering", () =>
  withServer(
    { ack: ({ type, offset }) => type === VMCORE && offset >= 40960 ? undefined : 0 },
    (server) =>
      withDumpDirectory(async (_, write) => {
        const path = await write("x", randomBytes(100_000, 2));
        const ended = await send("-s", server.target, ...PATIENT, "--json", path);
        assertEquals(ended.code, 1);
        assertMatch(
          ended.stderr,
          /No answer from [\d.]+:\d+ after \d+ tries in .*, at offset 40960 of 100000$/m,
        );
        const result = JSON.parse(ended.stdout);
        assertEquals([result.finished, result.bytesAcknowledged], [false, 40960]);
        assertMatch(result.error, /^No answer/);
        assertEquals(server.count(KDH) + server.count(FINISHED), 0);
      }),
  ));

Deno.test("send fails if only FINISHED is not acknowledged: the server did not call the dump complete", () =>
  withServer(
    { ack: ({ type }) => type === FINISHED ? undefined : 0 },
    (server) =>
      withDumpDirectory(async (_, write) => {
        const path = await write("x", randomBytes(4096, 3));
        const ended = await send(
          "-s",
          server.target,
          "--kernel",
          "14",
          ...PATIENT,
          path,
        );
        assertFailed(ended, /has all data, but did not call the dump complete/);
      }),
  ));

Deno.test("send stops when the file changes under it, and never finishes the dump", () =>
  withServer({}, (server) =>
    withDumpDirectory(async (_, write) => {
      const path = await write("x", randomBytes(2_000_000, 4));
      const sending = startSend("-s", server.target, "--rate", "200k", path);
      await until(() => server.count(VMCORE) > 20);
      await Deno.writeFile(path, new Uint8Array([1]), { append: true });
      assertFailed(await sending.ended, /the file changed while it was being sent/);
      assertEquals(server.count(KDH) + server.count(FINISHED), 0);
    })));

Deno.test("send interrupted by a signal ends with status 1 and a result", () =>
  withServer({}, (server) =>
    withDumpDirectory(async (_, write) => {
      const path = await write("x", randomBytes(2_000_000, 5));
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        server.messages.length = 0;
        const sending = startSend("-s", server.target, "--rate", "100k", "--json", path);
        await until(() => server.count(VMCORE) > 2);
        sending.process.kill(signal);
        const { code, stdout, stderr } = await sending.ended;
        assertEquals(code, 1);
        assertMatch(stderr, /^netdump: Interrupted: the server keeps what arrived/m);
        assertEquals(JSON.parse(stdout).finished, false);
      }
    })));

Deno.test("send says that the client port is in use, and how to find by whom", () =>
  withServer({}, (server) =>
    withDumpDirectory(async (_, write) => {
      const client = freshAddress();
      const taken = Deno.listenDatagram({ transport: "udp", hostname: client, port: 20024 });
      try {
        const ended = await send("-s", server.target, "-c", client, await write("x", randomBytes(4096, 6)));
        assertFailed(
          ended,
          /Cannot send from [\d.]+:20024: the port is in use; ".*20024.*" shows by which process/,
        );
      } finally {
        taken.close();
      }
    })));

Deno.test("send --client-port works with a server that answers there, and explains one that does not", async () => {
  const port = 20999;
  await withServer({ ackPort: port }, (server) =>
    withDumpDirectory(async (_, write) => {
      const path = await write("x", randomBytes(4096, 7));
      assertEquals((await send("-s", server.target, "--client-port", `${port}`, path)).code, 0);
    }));
  await withServer({}, (server) =>
    withDumpDirectory(async (_, write) => {
      const path = await write("x", randomBytes(4096, 7));
      const args = ["--client-port", `${port}`, "--timeout", "30ms", "--retries", "1"];
      assertFailed(await send("-s", server.target, ...args, path), /many servers answer to port 20024 only/);
    }));
});

Deno.test("send takes acks from the server's address alone, from whatever port of it", () =>
  withDumpDirectory(async (_, write) => {
    const client = freshAddress();
    const stranger = Deno.listenDatagram({ transport: "udp", hostname: freshAddress(), port: 0 });
    const to = { transport: "udp", hostname: client, port: 20024 } as const;
    // The stranger acknowledges everything first; the server nothing but the HERALD.
    const ack = ({ type, seqno }: { type: MessageType; seqno: number }) => {
      stranger.send(encodeAck(seqno), to).catch(() => {});
      return type === HERALD ? 20 : undefined;
    };
    try {
      await withServer({ ack }, async (server) => {
        const path = await write("x", randomBytes(4096, 8));
        const ended = await send(
          "-s",
          server.target,
          "-c",
          client,
          ...PATIENT,
          path,
        );
        assertFailed(ended, /at offset 0 of 4096/);
      });
    } finally {
      stranger.close();
    }
  }));

Deno.test("send is not led astray by late acks of an earlier dump", () =>
  withDumpDirectory(async (_, write) => {
    const client = freshAddress();
    const dump = randomBytes(100_000, 9);
    const path = await write("x", dump);
    const ack = ({ type }: { type: MessageType }, server: TestServer) => {
      if (type !== HERALD) return 0;
      // From another port of the server: an ack of message 4711, before that of the HERALD.
      const old = Deno.listenDatagram({ transport: "udp", hostname: server.address, port: 0 });
      old.send(encodeAck(4711), { transport: "udp", hostname: client, port: 20024 }).finally(() =>
        old.close()
      );
      return 50;
    };
    await withServer({ ack }, async (server) => {
      assertEquals((await send("-s", server.target, "-c", client, path)).code, 0);
      assertEquals(server.core, dump);
    });
  }));

Deno.test("send tells in one line what is wrong with a file, a name or an address", () =>
  withDumpDirectory(async (directory, write) => {
    const path = await write("x", randomBytes(4096, 10));
    const empty = await write("vmcore.3", new Uint8Array());
    await write("vmcore.4", randomBytes(4096, 10));
    const badInfo = await write("info.4", new TextEncoder().encode("nonsense\n"));
    const short = await write("short", new Uint8Array(100));
    const server = ["-s", "127.0.0.1"];
    for (
      const [args, pattern] of [
        [[...server, `${directory}/none`], /^netdump: Cannot open ".*\/none": no such file or directory$/],
        [[...server, directory], /it is a directory$/],
        [[...server, empty], /the file is empty$/],
        [
          [...server, `${directory}/vmcore.4`],
          new RegExp(`Cannot read "${badInfo}": it is no info file; --header FILE`),
        ],
        [
          [...server, "--header", short, path],
          /"\S+short" is not a kernel dump header: .*100 bytes, expected 512$/,
        ],
        [
          [...server, "--header", `${directory}/none`, path],
          /Cannot read "\S+none": no such file or directory$/,
        ],
        [[...server, "--key", short, path], /"\S+short" is not a dump key: /],
        [["-s", "no-such-host.invalid", path], /Cannot find an IPv4 address of "no-such-host.invalid"/],
        [
          [...server, "-c", "192.0.2.77", path],
          /Cannot send from 192.0.2.77:20024: no interface of this machine/,
        ],
      ] as const
    ) {
      assertFailed(await send(...args), pattern);
    }
  }));

const isRoot = Deno.build.os !== "windows" && Deno.uid() === 0;
Deno.test({
  name: `send says that a file is not readable${isRoot ? " [skipped: root reads everything]" : ""}`,
  ignore: isRoot,
  fn: () =>
    withDumpDirectory(async (_, write) => {
      const path = await write("x", randomBytes(4096, 11));
      await Deno.chmod(path, 0);
      assertFailed(await send("-s", "127.0.0.1", path), /Cannot open ".*": permission denied/);
    }),
});

Deno.test("send misused ends with status 2 and names the option", async () => {
  for (
    const [args, pattern] of [
      [
        ["--kernel", "14", "--window", "5", "-s", "127.0.0.1", "x"],
        /Options --kernel and --window exclude each other/,
      ],
      [["--rate", "0", "-s", "127.0.0.1", "x"], /Option --rate: expected a size of at least one byte/],
      [["--path", "a/".repeat(512), "-s", "127.0.0.1", "x"], /Option --path: expected at most 1023 bytes/],
      [["x"], /Option --server HOST\[:PORT\] is required/],
      [["-s", "127.0.0.1"], /Missing VMCORE/],
    ] as const
  ) {
    const { code, stdout, stderr } = await send(...args);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, pattern);
    assertLess(stderr.trimEnd().split("\n").length, 2);
    assert(!stderr.includes("    at "), "no stack trace");
  }
});
