/**
 * Says why a dump was given up, and what to look at.
 *
 * @module
 */
import { ACK_PORT, MessageType } from "../protocol/message.ts";
import { formatDuration } from "../text/units.ts";
import type { NoAnswer } from "./sender/sender.ts";

/** Between whom it happened. */
export interface Ends {
  /** The server as the user named it. */
  readonly host: string;
  readonly heralded: { readonly address: string; readonly port: number };
  /** Port that the HERALD's ack came from; `undefined` if none came. */
  readonly answeredPort: number | undefined;
  readonly clientPort: number;
  /** Size of the largest packet, IP header included. */
  readonly datagramSize: number;
  readonly dataSize: number;
}

/** A sentence without a full stop, for the error line. */
export function describeNoAnswer(failure: NoAnswer, ends: Ends): string {
  const { host, heralded } = ends;
  const named = host === heralded.address ? "" : ` (${heralded.address})`;
  const tries = `${failure.tries} ${failure.tries === 1 ? "try" : "tries"} in ${
    formatDuration(failure.waitedMs)
  }`;
  const answered = `${heralded.address}:${ends.answeredPort}`;
  switch (failure.type) {
    case MessageType.HERALD: {
      const port = ends.clientPort === ACK_PORT
        ? ""
        : `; many servers answer to port ${ACK_PORT} only, and the client port is ${ends.clientPort}`;
      return `No answer from ${host}:${heralded.port}${named} after ${tries}: no netdump server is there, it refuses ` +
        `this dump (its log tells why), or UDP does not pass both ways${port}`;
    }
    case MessageType.VMCORE: {
      const advice = failure.offset === 0
        ? `; the HERALD was answered, so packets of ${ends.datagramSize} bytes may be too large for the way: try a smaller --mtu`
        : "";
      return `No answer from ${answered} after ${tries}, at offset ${failure.offset} of ${ends.dataSize}${advice}`;
    }
    case MessageType.KDH:
      return `No answer from ${answered} after ${tries}: it has the data, but not the kernel dump header`;
    case MessageType.EKCD_KEY:
      return `No answer from ${answered} after ${tries}: it did not take the key`;
    case MessageType.FINISHED:
      return `No answer from ${answered} after ${tries}: it has all data, but did not call the dump complete; its log ` +
        "tells why";
  }
}
