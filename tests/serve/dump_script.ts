/**
 * Small dumps as scripts: the messages of a client in order, and what must lie in the dump directory at the end.
 */
import type { KernelDumpHeaderFields } from "../../lib/kerneldump/files/header.ts";
import { type Message, MessageType } from "../../lib/protocol/message.ts";
import { dumpBytes, dumpHeader } from "../dump_data.ts";

/** A dump to be sent. */
export interface DumpScript {
  readonly name: string;
  /** Bursts of messages; each is sent when the one before is acked. */
  readonly bursts: readonly (readonly Message[])[];
  /** The core file at the end. */
  readonly core: Uint8Array;
  /** Its name, for index 0 of host `w1`. */
  readonly coreName: string;
  readonly header: Uint8Array;
  readonly key: Uint8Array | undefined;
}

const BLOCK = 4096;

/** Pages of a dump, the second of them zero. */
function pages(seed: number, count: number): Uint8Array<ArrayBuffer> {
  const bytes = dumpBytes(seed, count * BLOCK);
  bytes.fill(0, BLOCK, 2 * BLOCK);
  return bytes;
}

function message(type: MessageType, seqno: number, offset: number, payload: Uint8Array): Message {
  return { type, seqno, offset, payload };
}

function vmcore(seqno: number, core: Uint8Array, page: number, count = 1): Message {
  return message(
    MessageType.VMCORE,
    seqno,
    page * BLOCK,
    core.subarray(page * BLOCK, (page + count) * BLOCK),
  );
}

function keyPieces(seqno: number, key: Uint8Array): Message[] {
  return [0, 1448, 2896].map((at, i) =>
    message(MessageType.EKCD_KEY, seqno + i, at, key.subarray(at, at + 1448))
  );
}

function script(
  name: string,
  coreName: string,
  core: Uint8Array,
  fields: Partial<KernelDumpHeaderFields>,
  key: Uint8Array | undefined,
  data: (sent: Uint8Array, kdh: (seqno: number) => Message) => readonly (readonly Message[])[],
  sent = core,
): DumpScript {
  const header = dumpHeader(core.byteLength, { dumpKeySize: key?.byteLength ?? 0, ...fields });
  const kdh = (seqno: number) => message(MessageType.KDH, seqno, 0, header);
  const bursts = data(sent, kdh);
  const last = Math.max(...bursts.flat().map(({ seqno }) => seqno));
  const finished = message(MessageType.FINISHED, last + 1, 0, new Uint8Array());
  return { name, coreName, core, header, key, bursts: [...bursts, [finished]] };
}

/** A plain dump: a burst, a hole filled later, a repeated message. */
export function plainDump(): DumpScript {
  return script("a plain dump", "vmcore.w1.0", pages(1, 6), {}, undefined, (core, kdh) => [
    [vmcore(2, core, 0)],
    [vmcore(3, core, 1), vmcore(4, core, 2)],
    [vmcore(6, core, 5)],
    [vmcore(5, core, 3, 2)],
    [vmcore(6, core, 5)],
    [kdh(7)],
  ]);
}

/** An encrypted, compressed dump, key first as FreeBSD 14 sends it; the last block is padded. */
export function encryptedDump(): DumpScript {
  const sent = pages(2, 3);
  const core = sent.subarray(0, sent.byteLength - 1000);
  const key = dumpBytes(3, 4096);
  const name = "an encrypted, compressed dump";
  const coreName = "vmcore_encrypted.w1.0.zst";
  return script(name, coreName, core, { compression: "zstd" }, key, (sent, kdh) => [
    keyPieces(2, key),
    [vmcore(5, sent, 0), vmcore(6, sent, 1), vmcore(7, sent, 2)],
    [kdh(8)],
  ], sent);
}

/** An encrypted dump, key last as FreeBSD 12 sends it, and its header twice. */
export function keyLastDump(): DumpScript {
  const key = dumpBytes(5, 4096);
  return script("an encrypted dump, key last", "vmcore_encrypted.w1.0", pages(4, 2), {}, key, (core, kdh) => [
    [vmcore(2, core, 0), vmcore(3, core, 1)],
    [kdh(4)],
    [kdh(4)],
    keyPieces(5, key),
  ]);
}

/** A dump of two batches of 64 KiB, each in two bursts, and one shorter batch. */
export function batchedDump(): DumpScript {
  return script("a dump of several batches", "vmcore.w1.0", pages(6, 36), {}, undefined, (core, kdh) => {
    const bursts: Message[][] = [];
    for (let page = 0; page < 36; page += 8) {
      const length = Math.min(8, 36 - page);
      bursts.push(Array.from({ length }, (_, i) => vmcore(2 + page + i, core, page + i)));
    }
    return [...bursts, [kdh(38)]];
  });
}
