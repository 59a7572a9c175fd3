import { assertEquals, assertMatch } from "@std/assert";
import { HttpListener } from "../../../../lib/serve/observers/http/listener.ts";
import { type Answer, plainAnswer, type Request } from "../../../../lib/serve/observers/http/request.ts";

/** A listener on a port of its own, and connections to it. */
class Fixture {
  readonly #listener: HttpListener;
  readonly #port: number;

  constructor(answer: (request: Request) => Promise<Answer>) {
    const socket = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#port = socket.addr.port;
    this.#listener = new HttpListener(socket, answer);
  }

  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.#port });
  }

  /** Sends text, and reads until the other end closes. */
  async ask(text: string): Promise<string> {
    using connection = await this.connect();
    await connection.write(new TextEncoder().encode(text));
    return await new Response(readable(connection)).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.close();
  }
}

function readable(connection: Deno.TcpConn): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const bytes = new Uint8Array(4096);
      const read = await connection.read(bytes);
      if (read === null) {
        connection.closeWrite().catch(() => {});
        controller.close();
      } else controller.enqueue(bytes.slice(0, read));
    },
  });
}

const echo = ({ method, path }: Request) => Promise.resolve(plainAnswer(200, `${method} ${path}`));

Deno.test("the listener answers one request a connection, and HEAD without a body", async () => {
  await using fixture = new Fixture(echo);
  const answer = await fixture.ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
  assertMatch(answer, /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)+\r\nGET \/a\n$/);
  assertMatch(await fixture.ask("HEAD /a HTTP/1.1\r\n\r\n"), /\r\nContent-Length: 8\r\n(?:.*\r\n)+\r\n$/);
});

Deno.test("the listener refuses a head without end, and answers what goes wrong inside without its words", async () => {
  await using fixture = new Fixture(() => Promise.reject(new Error("secret")));
  assertMatch(await fixture.ask("GET / HTTP/1.1\r\nX: " + "a".repeat(10_000)), /^HTTP\/1\.1 431 /);
  assertMatch(
    await fixture.ask("GET / HTTP/1.1\r\n\r\n"),
    /^HTTP\/1\.1 500 [^]*\r\n\r\nThe server could not answer\n$/,
  );
});

Deno.test("connections that say nothing keep the seventeenth waiting, not for ever: one that ends makes room", async () => {
  await using fixture = new Fixture(echo);
  const idle: Deno.TcpConn[] = [];
  for (let i = 0; i < 16; i++) idle.push(await fixture.connect());
  const waiting = fixture.ask("GET /late HTTP/1.1\r\n\r\n");
  const first = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 100, "waits"))]);
  assertEquals(first, "waits");
  idle.pop()!.close();
  assertMatch(await waiting, /GET \/late\n$/);
  for (const connection of idle) connection.close();
});

Deno.test("a listener that closes ends what is open", async () => {
  const asked = Promise.withResolvers<void>();
  const fixture = new Fixture(() => {
    asked.resolve();
    return new Promise(() => {});
  });
  using connection = await fixture.connect();
  await connection.write(new TextEncoder().encode("GET /"));
  // This one is being answered, for ever.
  using asking = await fixture.connect();
  await asking.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await asked.promise;
  const ended = connection.read(new Uint8Array(10)).catch(() => null);
  await fixture[Symbol.asyncDispose]();
  assertEquals(await ended, null);
});
