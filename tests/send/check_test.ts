import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { decodeHeraldPath } from "../../lib/protocol/herald_path.ts";
import { MessageType } from "../../lib/protocol/message.ts";
import { type CheckResult, checkServer } from "../../lib/send/check.ts";
import { SendError } from "../../lib/send/failure.ts";
import type { ClientSocket } from "../../lib/udp/client_socket.ts";
import type { Peer } from "../../lib/udp/datagram_socket.ts";

const SERVER: Peer = { hostname: "192.0.2.1", port: 20023 };
const SESSION: Peer = { hostname: "192.0.2.1", port: 40000 };

function ack(seqno: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, seqno);
  return bytes;
}

/** What a server answers to a message: datagrams and whom they are from. */
type Answers = (
  type: number,
  seqno: number,
  to: Peer,
) => readonly (readonly [bytes: Uint8Array, from: Peer])[];

/** A socket whose other end answers at once. */
class AnsweringSocket implements ClientSocket {
  readonly sent: { type: number; seqno: number; to: Peer; bytes: Uint8Array }[] = [];
  readonly #answers: Answers;
  readonly #queue: (readonly [Uint8Array, Peer])[] = [];
  #wake: () => void = () => {};

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  async receive(): Promise<[Uint8Array, Peer]> {
    while (this.#queue.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    return [...this.#queue.shift()!];
  }

  send(bytes: Uint8Array, to: Peer): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const [type, seqno] = [view.getUint32(0), view.getUint32(4)];
    this.sent.push({ type, seqno, to, bytes });
    this.#queue.push(...this.#answers(type, seqno, to));
    this.#wake();
  }

  drain(): void {}
  flush(): void {}
  close(): void {}
}

async function check(
  answers: Answers,
  path?: string,
): Promise<{ result: CheckResult; socket: AnsweringSocket }> {
  const socket = new AnsweringSocket(answers);
  const job = { server: SERVER, path, clientPort: 20024, retries: 2, timeoutMs: 20 };
  return { result: await checkServer(job, () => socket, new AbortController().signal), socket };
}

Deno.test("checkServer() sends a HERALD and a FINISHED to whoever answered, and nothing else", async () => {
  const { result, socket } = await check((_, seqno) => [[ack(seqno), SESSION]], "a/b");
  assertEquals([result.ready, result.answeredBy, result.finishedAcked, result.error, result.path], [
    true,
    "192.0.2.1:40000",
    true,
    null,
    "a/b",
  ]);
  assertEquals(socket.sent.map(({ type, seqno, to }) => [type, seqno, to]), [
    [MessageType.HERALD, 1, SERVER],
    [MessageType.FINISHED, 2, SESSION],
  ]);
  assertEquals(decodeHeraldPath(socket.sent[0]!.bytes.subarray(24)).kind !== "none", true);
});

Deno.test("checkServer() tells answers from another address as what they are: a kernel never gets through", async () => {
  const other: Peer = { hostname: "192.0.2.9", port: 40000 };
  const { result } = await check((_, seqno) => [[ack(seqno), other]]);
  assertEquals([result.ready, result.answeredBy], [false, null]);
  assertEquals(result.strangeAnswers, [{ from: "192.0.2.9:40000", why: "other-address", seqno: 1 }]);
  assertStringIncludes(result.error!, "192.0.2.1:20023 was asked and 192.0.2.9:40000 answered");
});

Deno.test("checkServer() tells a wrong number, and what is no ack", async () => {
  const wrong = await check((_, seqno) => [[ack(seqno + 1), SESSION]]);
  assertStringIncludes(wrong.result.error!, "acknowledged number 2 for the HERALD's number 1");
  const echo = await check(() => [[new Uint8Array(24), SERVER]]);
  assertStringIncludes(echo.result.error!, "it is no netdump server");
  assertEquals(echo.result.strangeAnswers, [{ from: "192.0.2.1:20023", why: "no-ack", seqno: null }]);
});

Deno.test("checkServer() tries again as kernels do, and tells silence from a dump that cannot be ended", async () => {
  const silent = await check(() => []);
  assertStringIncludes(silent.result.error!, "No answer from 192.0.2.1:20023");
  assertEquals(silent.socket.sent.length, 3);
  const stuck = await check((type, seqno) => type === MessageType.HERALD ? [[ack(seqno), SESSION]] : []);
  assertStringIncludes(stuck.result.error!, "acknowledged the HERALD but not FINISHED");
  assertEquals([stuck.result.ready, stuck.result.answeredBy], [false, "192.0.2.1:40000"]);
  let tries = 0;
  const lossy = await check((_, seqno) => ++tries % 2 === 1 ? [] : [[ack(seqno), SESSION]]);
  assertEquals([lossy.result.ready, lossy.socket.sent.length], [true, 4]);
});

Deno.test("checkServer() is not led astray by late copies, and bounds what it tells of strangers", async () => {
  const { result } = await check((_, seqno) => [
    ...Array.from({ length: 20 }, (_, i) => [ack(7), { hostname: `192.0.2.${100 + i}`, port: 1 }] as const),
    [ack(1), SESSION],
    [ack(1), SESSION],
    ...(seqno === 2 ? [[ack(2), SESSION] as const] : []),
  ]);
  assertEquals([result.ready, result.strangeAnswers.length], [true, 8]);
});

Deno.test("checkServer() tells at once what keeps it from sending, and takes no ICMP error for it", async () => {
  const error = (code: string) => Object.assign(new Error("no way"), { code });
  const failing = (code: string) => (onError: (error: unknown) => void): ClientSocket =>
    Object.assign(new AnsweringSocket(() => []), { send: () => onError(error(code)) });
  const job = { server: SERVER, path: undefined, clientPort: 20024, retries: 1, timeoutMs: 20 };
  const { signal } = new AbortController();
  const thrown = await assertRejects(() => checkServer(job, failing("EINVAL"), signal), SendError);
  assertStringIncludes(thrown.message, "Cannot send to 192.0.2.1:20023");
  assertStringIncludes(thrown.message, "--client");
  const { error: told } = await checkServer(job, failing("ECONNREFUSED"), signal);
  assertStringIncludes(told!, "No answer from");
});

Deno.test("checkServer() says what another client port than the kernels' may have to do with it, and that it was interrupted", async () => {
  const job = { server: SERVER, path: undefined, clientPort: 30000, retries: 0, timeoutMs: 20 };
  const silent = () => new AnsweringSocket(() => []);
  const { error } = await checkServer(job, silent, new AbortController().signal);
  assertStringIncludes(error!, "answer to port 20024 only, which kernels use, and the client port is 30000");
  const interrupt = new AbortController();
  const checking = checkServer({ ...job, timeoutMs: 600_000 }, silent, interrupt.signal);
  interrupt.abort();
  const { ready, error: interrupted } = await checking;
  assertEquals([ready, interrupted], [false, "Interrupted"]);
});
