/**
 * What the errors of a client's socket mean for its dump.
 *
 * @module
 */
import { describeError } from "../os/system_error.ts";
import type { Peer } from "../udp/datagram_socket.ts";
import { SendError } from "./failure.ts";

/** As good as lost datagrams: a full queue, and an ICMP error, which is anybody's word. */
const TRANSIENT = new Set(["ENOBUFS", "EAGAIN", "EWOULDBLOCK", "ENOMEM", "ECONNREFUSED", "ECONNRESET"]);

/** Whether an error is as good as a lost datagram, which is sent again. */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error);
  return typeof code === "string" && TRANSIENT.has(code);
}

/** Says that nothing can be sent, and what may help. */
export function cannotSend(error: unknown, { hostname, port }: Peer): SendError {
  const advice = codeOf(error) === "EMSGSIZE"
    ? "; a smaller --mtu will fit"
    : codeOf(error) === "EINVAL"
    ? "; the address of --client has no way there"
    : "";
  return new SendError(`Cannot send to ${hostname}:${port}: ${describeError(error)}${advice}`);
}

/** Says that no acks can be received. */
export function cannotReceive(error: unknown): SendError {
  return new SendError(`Cannot receive acks: ${describeError(error)}`);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
