/**
 * The least that a program on Deno does per packet: receives it and acks it. It checks nothing, keeps nothing and
 * writes nothing, so what it reaches is a limit of the runtime, beside which netdump's own share can be seen.
 *
 * `deno run -A least_server.ts ADDRESS PORT`
 *
 * @module
 */
import { HEADER_SIZE, HeaderField, MAX_DATAGRAM_SIZE } from "../../lib/protocol/message.ts";

const [hostname, port] = Deno.args;
const buffer = new Uint8Array(MAX_DATAGRAM_SIZE);
const heralds = Deno.listenDatagram({ transport: "udp", hostname: hostname!, port: Number(port) });
for (;;) {
  const [herald, client] = await heralds.receive(buffer);
  void receive(client as Deno.NetAddr, seqnoOf(herald));
}

/** One session: acks the HERALD, and all that comes then. */
async function receive(client: Deno.NetAddr, heraldSeqno: Uint8Array<ArrayBuffer>): Promise<void> {
  const buffer = new Uint8Array(MAX_DATAGRAM_SIZE);
  const socket = Deno.listenDatagram({ transport: "udp", hostname: hostname!, port: 0 });
  await socket.send(heraldSeqno, client);
  for (;;) {
    const [datagram] = await socket.receive(buffer);
    if (datagram.byteLength >= HEADER_SIZE) await socket.send(seqnoOf(datagram), client);
  }
}

/** A copy of a message's seqno, which is an ack. */
function seqnoOf(datagram: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(datagram.subarray(HeaderField.SEQNO, HeaderField.SEQNO + 4));
}
