import { assertEquals } from "@std/assert";
import { openLibc } from "../../lib/udp/native_abi.ts";
import { NativeMover } from "../../lib/udp/native_mover.ts";
import { tryMover, tryOnce } from "../../lib/udp/open.ts";

const libc = openLibc();
const without = libc === undefined ? " [skipped: no glibc on 64-bit Linux with Deno 2.5]" : "";

function test(name: string, mover: () => NativeMover, expected: boolean, trial = tryOnce): void {
  const fn = async () => assertEquals(await trial(mover(), "127.0.0.1") !== undefined, expected);
  Deno.test({ name: name + without, ignore: libc === undefined, fn });
}

test("the trial passes what works", () => new NativeMover(libc!), true);

/** Ways in which a system's library could be another than the one that its layouts were taken from. */
const BROKEN: Record<string, (good: NativeMover) => Partial<NativeMover>> = {
  "loses datagrams": (good) => {
    let count = 0;
    return { drain: (fd, take) => good.drain(fd, (...got) => ++count % 50 === 0 ? undefined : take(...got)) };
  },
  "takes them in another order": (good) => ({
    drain: (fd, take) => {
      const all: (() => void)[] = [];
      good.drain(fd, (datagram, address, port) => {
        const copy = datagram.bytes.slice();
        const { size } = datagram;
        all.unshift(() => take({ bytes: copy, view: new DataView(copy.buffer), size }, address, port));
      });
      for (const one of all) one();
    },
  }),
  "has the length elsewhere": (good) => ({
    drain: (fd, take) =>
      good.drain(fd, ({ bytes, view }, ...from) => take({ bytes, view, size: 0 }, ...from)),
  }),
  "has the bytes of the address turned round": (good) => ({
    drain: (fd, take) => good.drain(fd, (datagram, _, port) => take(datagram, 0x0100007f, port)),
  }),
  "brings datagrams where none are": (good) => ({
    drain: (fd, take) => {
      const bytes = new Uint8Array(8);
      take({ bytes, view: new DataView(bytes.buffer), size: 8 }, 0, 0);
      good.drain(fd, take);
    },
  }),
  "brings nothing": () => ({ drain: () => {} }),
  "sends fewer acks than it says": (good) => ({
    sendAcks: (fd, seqnos, ...to) => good.sendAcks(fd, seqnos.slice(0, 90), ...to) + 10,
  }),
  "sends other numbers": (good) => ({
    sendAcks: (fd, seqnos, ...to) => good.sendAcks(fd, seqnos.map((seqno) => seqno ^ 1), ...to),
  }),
  "finds no descriptor": () => ({ descriptorOf: () => undefined }),
  "finds the wrong descriptor": () => ({ descriptorOf: () => 0 }),
  "throws": () => ({
    drain: () => {
      throw new TypeError("not a buffer");
    },
  }),
};

/** A mover of which something is replaced. */
function broken(breakIt: (good: NativeMover) => Partial<NativeMover>): NativeMover {
  const good = new NativeMover(libc!);
  const all: Pick<NativeMover, keyof NativeMover> = {
    drain: (...given) => good.drain(...given),
    sendAcks: (...given) => good.sendAcks(...given),
    sendSegmented: (...given) => good.sendSegmented(...given),
    sendPiece: (...given) => good.sendPiece(...given),
    askSegmentation: (...given) => good.askSegmentation(...given),
    askReceiveBuffer: (...given) => good.askReceiveBuffer(...given),
    descriptorOf: (...given) => good.descriptorOf(...given),
    ...breakIt(good),
  };
  return all as NativeMover;
}

test(
  "the trial passes what loses one datagram on a busy machine",
  () => {
    let count = 0;
    const losesOne = (good: NativeMover): Partial<NativeMover> => ({
      drain: (fd, take) => good.drain(fd, (...got) => ++count === 70 ? undefined : take(...got)),
    });
    return broken(losesOne);
  },
  true,
  tryMover,
);

for (const [name, breakIt] of Object.entries(BROKEN)) {
  test(`the trial fails what ${name}`, () => broken(breakIt), false);
}

const CANNOT_SEGMENT: Record<string, (good: NativeMover) => Partial<NativeMover>> = {
  "cannot be asked for": () => ({ askSegmentation: () => false }),
  "cannot be sent": () => ({ sendSegmented: () => 0 }),
  "come as one": (good) => ({
    askSegmentation: () => true,
    sendSegmented: (...given) => good.sendSegmented(...given),
  }),
  "have other numbers": (good) => ({
    sendSegmented: (fd, seqnos, ...to) => good.sendSegmented(fd, seqnos.toReversed(), ...to),
  }),
};

for (const [name, breakIt] of Object.entries(CANNOT_SEGMENT)) {
  const fn = async () => {
    const abilities = await tryOnce(broken(breakIt), "127.0.0.1");
    assertEquals(abilities?.segments, false);
  };
  Deno.test({
    name: `the trial does without segments that ${name}${without}`,
    ignore: libc === undefined,
    fn,
  });
}
