import { assert, assertEquals, assertRejects } from "@std/assert";
import { ObjectStore } from "../../lib/archive/object_store.ts";
import { StoreError } from "../../lib/archive/store_error.ts";

const BODY = new Uint8Array(3 * 2 ** 20).fill(7);
const CREDENTIALS = { accessKey: "k", secretKey: "s", sessionToken: null, region: "us-east-1" };

/** What a server of one request does: it may say something, and take the body. */
interface Server {
  readonly before: string;
  readonly takes: boolean;
  readonly after: string;
}

/** Uploads to it; what it got of the body. */
async function upload({ before, takes, after }: Server): Promise<{ head: string; bodyBytes: number }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const store = new ObjectStore({
    ...{ endpoint: `http://127.0.0.1:${port}`, bucket: "dumps", credentials: CREDENTIALS },
  });
  const serving = (async () => {
    const conn = await listener.accept();
    const buffer = new Uint8Array(65536);
    let head = "";
    while (!head.includes("\r\n\r\n")) {
      head += new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
    }
    await conn.write(new TextEncoder().encode(before));
    let bodyBytes = 0;
    while (takes && bodyBytes < BODY.length) bodyBytes += await conn.read(buffer) ?? BODY.length;
    await conn.write(new TextEncoder().encode(after));
    conn.close();
    return { head, bodyBytes };
  })();
  try {
    await store.put("a key", BODY);
  } finally {
    await serving;
  }
  return await serving;
}

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

Deno.test("a large body is sent when the store asks for it, and also to one that does not ask", async () => {
  for (const before of [CONTINUE, "", "HTTP/1.1 102 Processing\r\n\r\n"]) {
    const { head, bodyBytes } = await upload({ before, takes: true, after: OK });
    assertEquals(bodyBytes, BODY.length);
    assert(head.startsWith("PUT /dumps/a%20key HTTP/1.1\r\n"), head);
    assert(
      head.includes(`\r\ncontent-length: ${BODY.length}\r\n`) && head.includes("\r\ncontent-md5: "),
      head,
    );
  }
});

Deno.test("what is refused is refused before the body, with the store's reason, however it is wrapped", async () => {
  const xml = "<Error><Code>QuotaExceeded</Code><Message>no room</Message></Error>";
  const answers = [
    `HTTP/1.1 403 Forbidden\r\nContent-Length: ${xml.length}\r\n\r\n${xml}`,
    `HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n${
      xml.length.toString(16)
    }\r\n${xml}\r\n0\r\n\r\n`,
    `HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n${xml}`,
  ];
  for (const before of answers) {
    const error = await assertRejects(() => upload({ before, takes: false, after: "" }), StoreError);
    assertEquals(error.failure, "full", error.message);
  }
  const late = { before: CONTINUE, takes: true, after: answers[0]! };
  assertEquals((await assertRejects(() => upload(late), StoreError)).failure, "full");
});

Deno.test("an answer that is none, is cut or too long is told as that", async () => {
  const answers = ["", "HTTP/1.1 200", "SSH-2.0-x\r\n\r\n", `HTTP/1.1 200 OK\r\n\r\n${"x".repeat(2 ** 20)}`];
  for (const after of answers) {
    const error = await assertRejects(() => upload({ before: CONTINUE, takes: true, after }), StoreError);
    assertEquals(error.failure, "unreachable", error.message);
  }
});
