/**
 * Sends a small dump from within a network namespace, for tests that cannot get in there themselves.
 * Arguments: the server's address, its port, the client's address, the seed of the data.
 */
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { RawClient } from "./raw_client.ts";

const [address = "", port, client, seed] = Deno.args;
await using raw = new RawClient({ address, port: Number(port) }, client);
const core = dumpBytes(Number(seed), 8192);
await raw.resending(1, () => raw.herald());
await raw.dump(core, dumpHeader(core.byteLength));
if (raw.strange.length > 0) throw new Error(`Datagrams came that no client takes: ${raw.strange}`);
