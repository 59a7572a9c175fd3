/** A server, and a dump for it: what the tests of weaknesses begin with. */
import { dumpBytes, dumpHeader } from "../../dump_data.ts";
import { RawClient } from "../raw_client.ts";
import { ServerProcess } from "../server_process.ts";

/** Bytes of a page, of which dumps are made. */
export const PAGE = 4096;
/** A dump of two pages, with its header. */
export const core = dumpBytes(1, 2 * PAGE);
export const header = dumpHeader(core.byteLength);
/** A key of any content. */
export const key = dumpBytes(2, PAGE);

/** A server that names dumps by address, so that every client has a series of its own. */
export async function serve(...args: string[]): Promise<ServerProcess> {
  return await ServerProcess.start({ args: ["--no-dns", ...args] });
}

/** The info file of a dump of a client. */
export function infoOf(server: ServerProcess, client: RawClient, index = 0): string {
  return server.text(`info.${client.address}.${index}`);
}
