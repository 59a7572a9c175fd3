import { assertEquals } from "@std/assert";
import { MessageType } from "../../lib/protocol/message.ts";
import { describeNoAnswer, type Ends } from "../../lib/send/no_answer.ts";

const ENDS: Ends = {
  host: "dumphost",
  heralded: { address: "192.0.2.10", port: 20023 },
  answeredPort: 40000,
  clientPort: 20024,
  datagramSize: 1500,
  dataSize: 1_000_000,
};

for (
  const [type, offset, expected] of [
    [
      MessageType.HERALD,
      0,
      "No answer from dumphost:20023 (192.0.2.10) after 11 tries in 11.0 s: no netdump server is there, it refuses " +
      "this dump (its log tells why), or UDP does not pass both ways",
    ],
    [
      MessageType.VMCORE,
      0,
      "No answer from 192.0.2.10:40000 after 11 tries in 11.0 s, at offset 0 of 1000000; the HERALD was answered, so " +
      "packets of 1500 bytes may be too large for the way: try a smaller --mtu",
    ],
    [
      MessageType.VMCORE,
      4096,
      "No answer from 192.0.2.10:40000 after 11 tries in 11.0 s, at offset 4096 of 1000000",
    ],
    [
      MessageType.KDH,
      0,
      "No answer from 192.0.2.10:40000 after 11 tries in 11.0 s: it has the data, but not the kernel dump header",
    ],
    [
      MessageType.EKCD_KEY,
      0,
      "No answer from 192.0.2.10:40000 after 11 tries in 11.0 s: it did not take the key",
    ],
    [
      MessageType.FINISHED,
      0,
      "No answer from 192.0.2.10:40000 after 11 tries in 11.0 s: it has all data, but did not call the dump complete; " +
      "its log tells why",
    ],
  ] as const
) {
  Deno.test(`describeNoAnswer() of message type ${type} at ${offset}`, () => {
    assertEquals(describeNoAnswer({ type, offset, tries: 11, waitedMs: 11_000 }, ENDS), expected);
  });
}
