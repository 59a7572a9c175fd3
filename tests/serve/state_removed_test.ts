import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { type FileSystem, realFileSystem } from "../../lib/os/file_system.ts";
import { TempDir } from "../temp_dir.ts";
import { assertFinal } from "./dump_directory_state.ts";
import { plainDump } from "./dump_script.ts";
import { ReceiverHarness } from "./receiver_harness.ts";

/** A receiver whose journals' directory is removed under it; the file system tells the dump directory's device as `device` does. */
async function removeState(
  device: (real: number) => number,
  then: (root: string, receiver: ReceiverHarness) => Promise<void>,
): Promise<void> {
  using temp = new TempDir();
  const root = temp.path;
  const state = join(root, ".netdump");
  Deno.mkdirSync(state);
  let isRemoved = false;
  const fs: FileSystem = {
    ...realFileSystem,
    entry: (path) => {
      const entry = realFileSystem.entry(path);
      return entry && { ...entry, device: isRemoved && path === root ? device(entry.device) : entry.device };
    },
  };
  const receiver = new ReceiverHarness(root, fs);
  await receiver.open();
  Deno.removeSync(state, { recursive: true });
  isRemoved = true;
  await then(root, receiver);
  await receiver.stop();
}

Deno.test("a server whose state directory was removed makes it anew, and takes the dump", () =>
  removeState((real) => real, async (root, receiver) => {
    const dump = plainDump();
    await receiver.open();
    for (const burst of dump.bursts) assert(await receiver.send(...burst));
    await receiver.until(() => receiver.finished !== undefined, "the end");
    const notice = receiver.reports.find((report) => report.report === "notice");
    assertStringIncludes(notice?.text ?? "", "was gone and is made anew");
    assertEquals(Deno.statSync(join(root, ".netdump")).mode! & 0o777, 0o700);
    await receiver.stop();
    assertFinal(root, dump);
  }));

Deno.test("a server whose dump directory is on another disk than it was makes no state there", () =>
  removeState((real) => real + 1, async (root, receiver) => {
    await receiver.open();
    assert(receiver.closed);
    assertEquals([...Deno.readDirSync(root)], []);
  }));
