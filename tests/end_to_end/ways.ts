/** The ways in which a server moves datagrams here, for what must hold on each: as words in a test's name, and as arguments. */
import { openLibc } from "../../lib/udp/native_abi.ts";

export const WAYS: readonly (readonly [words: string, args: readonly string[]])[] = openLibc() === undefined
  ? [["", []]]
  : [["", []], [", one datagram at a time", ["--no-native"]]];
