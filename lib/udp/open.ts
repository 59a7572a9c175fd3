/**
 * Picks the quicker way to move datagrams that works here: the system library's, if a trial on a pair of sockets shows that it
 * does, else Deno's own operations.
 *
 * @module
 */
import { parseAddress } from "../protocol/ipv4.ts";
import {
  type ClientSocket,
  DenoClientSocket,
  NativeClientSocket,
  type OnSendError,
} from "./client_socket.ts";
import type { DatagramSockets } from "./datagram_socket.ts";
import { DenoSockets } from "./deno_socket.ts";
import { openLibc } from "./native_abi.ts";
import { NativeMover } from "./native_mover.ts";
import { type NativeAbilities, NativeSockets } from "./native_socket.ts";
import { type AskRoute, openRoutes } from "./route.ts";

/** Sizes of the trial's datagrams: a jumbo frame, then more than one call's, empty, small and of an Ethernet. */
const TRIAL_SIZES = [8972, ...Array.from({ length: 12 }, () => [0, 1, 28, 1472, 24, 2]).flat()];
const TRIAL_ACKS = 100;
const TRIAL_MS = 1000;
/** A machine that is busy as it starts must not make a server slow for as long as it runs. */
const MOST_TRIALS = 3;

/**
 * Opens the way to move datagrams, and gives up the permission for it: what was opened goes on working, nothing else can be.
 *
 * @param address a local address that this thread may bind and send to; `null` for Deno's operations
 */
export async function openSockets(address: string | null): Promise<DatagramSockets> {
  const libc = address === null ? undefined : openLibc();
  await Deno.permissions.revoke({ name: "ffi" });
  if (address === null || libc === undefined) return new DenoSockets();
  const mover = new NativeMover(libc);
  const abilities = await tryMover(mover, address);
  return abilities === undefined ? new DenoSockets() : new NativeSockets(mover, abilities);
}

/** How a client's datagrams are moved here. */
export interface ClientWay {
  /** Makes a client's socket around one of Deno's, whose owner it is from then on. */
  open(conn: Deno.DatagramConn, onError: OnSendError): ClientSocket;
  /** Asks for the route to a server. */
  readonly route: AskRoute;
}

/**
 * Opens the quicker way for clients' sockets, and gives up the permission for it.
 *
 * @param native whether the system's library may be used
 */
export async function openClientWay(native: boolean): Promise<ClientWay> {
  const libc = native ? openLibc() : undefined;
  const mover = libc && new NativeMover(libc);
  const route = mover && openRoutes(mover);
  await Deno.permissions.revoke({ name: "ffi" });
  const isGood = mover !== undefined && (await tryMover(mover, "127.0.0.1"))?.segments === true;
  return {
    open(conn, onError) {
      const fd = isGood ? mover.descriptorOf(conn.addr as Deno.NetAddr) : undefined;
      if (!isGood || fd === undefined) return new DenoClientSocket(conn, onError);
      mover.askReceiveBuffer(fd);
      return new NativeClientSocket(conn, onError, mover, fd);
    },
    route: route ?? (() => undefined),
  };
}

/** Makes the trial, and again if it fails; see {@linkcode tryOnce}. */
export async function tryMover(mover: NativeMover, address: string): Promise<NativeAbilities | undefined> {
  for (let trial = 0; trial < MOST_TRIALS; trial++) {
    const abilities = await tryOnce(mover, address);
    if (abilities !== undefined) return abilities;
  }
  return undefined;
}

/**
 * Sends datagrams from one socket to another and back as acks: order, sizes, bytes, addresses, full calls, an empty socket.
 *
 * @param address a local address that both may be bound to
 * @returns what it can; `undefined` if anything did not come as it should
 */
export async function tryOnce(mover: NativeMover, address: string): Promise<NativeAbilities | undefined> {
  const open = () => Deno.listenDatagram({ transport: "udp", hostname: address, port: 0 });
  try {
    using one = disposable(open());
    using other = disposable(open());
    const fd = mover.descriptorOf(other.conn.addr as Deno.NetAddr);
    if (fd === undefined) return undefined;
    const receiveBufferBytes = mover.askReceiveBuffer(fd);
    if (!await datagramsCome(mover, one.conn, other.conn, fd)) return undefined;
    if (!await acksCome(one.conn, (...acks) => mover.sendAcks(fd, ...acks))) return undefined;
    const segments = mover.askSegmentation(fd) &&
      await acksCome(one.conn, (...acks) => mover.sendSegmented(fd, ...acks));
    return { segments, receiveBufferBytes };
  } catch {
    return undefined;
  }
}

async function datagramsCome(
  mover: NativeMover,
  from: Deno.DatagramConn,
  to: Deno.DatagramConn,
  fd: number,
): Promise<boolean> {
  const { hostname, port } = from.addr as Deno.NetAddr;
  const sender = `${parseAddress(hostname)}:${port}`;
  const got: string[] = [];
  const take: Parameters<NativeMover["drain"]>[1] = ({ bytes, size }, address, port) => {
    got.push(`${describe(bytes.subarray(0, size))} from ${address}:${port}`);
  };
  mover.drain(fd, take);
  if (got.length > 0) return false;
  for (const [i, size] of TRIAL_SIZES.entries()) await from.send(new Uint8Array(size).fill(i + 1), to.addr);
  // Deno's receive waits, and brings the first.
  const [first] = await withinTime(to.receive(new Uint8Array(65536)));
  got.push(`${describe(first)} from ${sender}`);
  const lateMs = performance.now() + TRIAL_MS;
  while (got.length < TRIAL_SIZES.length && performance.now() < lateMs) {
    mover.drain(fd, take);
    if (got.length < TRIAL_SIZES.length) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const expected = TRIAL_SIZES.map((size, i) =>
    `${describe(new Uint8Array(size).fill(i + 1))} from ${sender}`
  );
  return got.join() === expected.join();
}

/** Whether all acks come that `send` is given with the client's address. */
async function acksCome(
  client: Deno.DatagramConn,
  send: (seqnos: readonly number[], address: number, port: number) => number,
): Promise<boolean> {
  const { hostname, port } = client.addr as Deno.NetAddr;
  const seqnos = Array.from({ length: TRIAL_ACKS }, (_, i) => (i * 0x02030405) >>> 0);
  if (send(seqnos, parseAddress(hostname)!, port) !== seqnos.length) return false;
  for (const seqno of seqnos) {
    const [{ buffer, byteOffset, byteLength }] = await withinTime(client.receive(new Uint8Array(65536)));
    if (byteLength !== 4 || new DataView(buffer, byteOffset).getUint32(0) !== seqno) return false;
  }
  return true;
}

function describe(bytes: Uint8Array): string {
  return `${bytes.byteLength} bytes, sum ${bytes.reduce((sum, byte) => sum + byte, 0)}`;
}

async function withinTime<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("The trial took too long")), TRIAL_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function disposable(conn: Deno.DatagramConn): { readonly conn: Deno.DatagramConn } & Disposable {
  return { conn, [Symbol.dispose]: () => conn.close() };
}
