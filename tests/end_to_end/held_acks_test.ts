import { assert } from "@std/assert";
import { dumpBytes } from "../dump_data.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";
import { WAYS } from "./ways.ts";

const PIECE = 1448;
/** A kernel sends a batch twelve times. */
const SENDS = 12;
const RESEND_MS = 300;

/** Sends the same messages again until the first is acked, which only a client does that waits for them; tells after how many sends. */
async function sendsUntilAcked(server: ServerProcess, bytes: Uint8Array): Promise<number> {
  await using client = new RawClient(server);
  await client.connect();
  for (let sends = 1; sends <= SENDS; sends++) {
    for (let at = 0; at < bytes.byteLength; at += PIECE) {
      await client.vmcore(2 + at / PIECE, at, bytes.subarray(at, at + PIECE));
    }
    await new Promise((resolve) => setTimeout(resolve, RESEND_MS));
    if (client.acks.includes(2)) return sends;
  }
  return Infinity;
}

for (const [words, args] of WAYS) {
  Deno.test(`serve${words} holds acks of a batch that shows no end for a few resends only (P4)`, async () => {
    await using server = await ServerProcess.start({ args: ["--no-dns", ...args] });
    const sizes = [1, 100, PIECE, PIECE + 1, 3 * PIECE, 40 * PIECE];
    const sends = await Promise.all(sizes.map((size) => sendsUntilAcked(server, dumpBytes(1, size))));
    for (const [i, size] of sizes.entries()) assert(sends[i]! <= SENDS, `${size} bytes: ${sends}`);
  });
}
