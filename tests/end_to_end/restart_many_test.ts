import { assert, assertEquals } from "@std/assert";
import { MessageType } from "../../lib/protocol/message.ts";
import { realFileSystem } from "../../lib/os/file_system.ts";
import { StateDirectory } from "../../lib/serve/store/state_directory.ts";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { ReceiverHarness } from "../serve/receiver_harness.ts";
import { freshAddress, freshPort } from "./addresses.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

/** As many as an attacker got before his sessions were counted (`f05c`). */
const SESSIONS = 1500;
const FIRST_PORT = 31_000;

/**
 * Leaves what a killed server does: sessions with a page of data each. The one of `address` was receiving when the server was killed, so
 * that its journal was written last.
 */
async function leaveSessions(
  root: string,
  local: string,
  address: string,
  page: Uint8Array,
): Promise<number> {
  const state = await StateDirectory.open(realFileSystem, root);
  state.close();
  const receiver = new ReceiverHarness(root, realFileSystem, { settings: { timeoutMs: 3_600_000 } });
  for (let i = 0; i < SESSIONS; i++) {
    await receiver.open({ client: `127.99.${i >> 8}.${i & 255}`, local, port: FIRST_PORT + i });
    assert(
      await receiver.send({ type: MessageType.VMCORE, seqno: 2, offset: 0, payload: new Uint8Array(4096) }),
    );
  }
  const port = FIRST_PORT + SESSIONS;
  await receiver.open({ client: address, local, port });
  assert(await receiver.send({ type: MessageType.VMCORE, seqno: 2, offset: 0, payload: page }));
  return port;
}

Deno.test({
  name:
    "serve with 1,500 sessions to take up answers a kernel that panics now, and one that is in the middle of its dump",
  // The receiver that leaves them is left as it is, as one that is killed.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
    try {
      const [local, address] = [freshAddress(), freshAddress()];
      const core = dumpBytes(1, 2 * 4096);
      const header = dumpHeader(core.byteLength);
      const port = await leaveSessions(dir, local, address, core.subarray(0, 4096));
      await using server = ServerProcess.spawn({
        dir,
        address: local,
        port: freshPort(),
        args: ["--no-dns", "--max-sessions", `${SESSIONS + 100}`],
      });
      await using old = new RawClient(server, address);
      await using young = new RawClient(server);
      old.serverPort = port;
      const rest = core.subarray(4096);
      const behind: Date[] = [];
      await Promise.all([
        old.resending(3, () => old.vmcore(3, 4096, rest)).then(() => behind.push(new Date())),
        young.resending(1, () => young.herald()).then(() => behind.push(new Date())),
      ]);
      await young.dump(core, header);
      assert(sameBytes(server.path(`vmcore.${young.address}.0`), core));
      await old.kdh(4, header);
      await old.acked(4);
      await old.finished(5);
      await old.acked(5);
      behind.push(new Date());
      // The harness names all dumps alike.
      assert(
        server.names().some((name) =>
          /^vmcore\.w1[^.]*\.\d+$/.test(name) && sameBytes(server.path(name), core)
        ),
      );
      const taken = () => server.lines.filter((line) => line.includes('"event":"resumed"')).length;
      await server.until(() => taken() > SESSIONS, "all others");
      assertEquals(await server.stop(), 0);
      // A kernel waits for twelve seconds, however many there are and however long each takes: so before most of the others.
      const resumed = server.log("resumed").map(({ time }) => new Date(time));
      const before = behind.map((then) => resumed.filter((time) => time <= then).length);
      assert(before.every((count) => count < SESSIONS / 2), `others that had their turn before: ${before}`);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});
