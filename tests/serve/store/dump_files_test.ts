import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { DumpFiles } from "../../../lib/serve/store/dump_files.ts";
import { type FileSystem, realFileSystem } from "../../../lib/os/file_system.ts";
import { JournalFile } from "../../../lib/serve/store/journal_file.ts";
import { errorCode } from "../../../lib/os/system_error.ts";
import { TempDir } from "../../temp_dir.ts";
import { assertFinal, endingOf, findCore } from "../dump_directory_state.ts";
import { encryptedDump, plainDump } from "../dump_script.ts";
import { ReceiverHarness } from "../receiver_harness.ts";

const PAGE = 4096;

function dumpDirectory(): TempDir {
  const temp = new TempDir();
  Deno.mkdirSync(join(temp.path, ".netdump"));
  return temp;
}

/** A file system that notes what is done to which file, by name. */
function notingFileSystem(notes: string[]): FileSystem {
  const names = new Map<number, string>();
  const nameOf = (path: string) => path.split("/").at(-1)!;
  return {
    ...realFileSystem,
    create: (path, mode) => {
      const fd = realFileSystem.create(path, mode);
      names.set(fd, nameOf(path));
      return fd;
    },
    reopen: (path) => {
      const fd = realFileSystem.reopen(path);
      names.set(fd, nameOf(path));
      return fd;
    },
    write: (fd, ...rest) => {
      notes.push(`write ${names.get(fd)}`);
      realFileSystem.write(fd, ...rest);
    },
    truncate: (fd, size) => {
      notes.push(`write ${names.get(fd)}`);
      realFileSystem.truncate(fd, size);
    },
    renameExclusively: (from, to) => {
      notes.push(`rename to ${nameOf(to)}`);
      realFileSystem.renameExclusively(from, to);
    },
    replace: (from, to) => {
      notes.push(`rename to ${nameOf(to)}`);
      realFileSystem.replace(from, to);
    },
    // Noted when it is through, for that is when it counts.
    sync: (fd) => realFileSystem.sync(fd).then(() => void notes.push(`sync ${names.get(fd)}`)),
    syncDirectory: (path) => realFileSystem.syncDirectory(path).then(() => void notes.push("sync directory")),
  };
}

Deno.test("FINISHED is acked only when core, header, key, info and directory are synced behind their last change (P1)", async () => {
  using temp = dumpDirectory();
  const notes: string[] = [];
  const dump = encryptedDump();
  const receiver = new ReceiverHarness(temp.path, notingFileSystem(notes));
  await receiver.open();
  for (const burst of dump.bursts) {
    assert(await receiver.send(...burst));
    if (burst === dump.bursts.at(-1)) notes.push("acked");
  }
  await receiver.stop();
  const last = (note: string) => {
    const at = notes.lastIndexOf(note);
    assert(at >= 0, `${note} is not in ${notes}`);
    return at;
  };
  const core = "vmcore.w1.0.incomplete";
  for (const name of [core, "kdh.w1.0", "key.w1.0", "info.w1.0"]) {
    assertLess(last(`write ${name}`), last(`sync ${name}`), name);
    assertLess(last(`sync ${name}`), last("sync directory"), name);
  }
  // A final name is only ever on a core that is on the disk.
  assertLess(last(`sync ${core}`), last(`rename to ${dump.coreName}`));
  assertLess(last(`rename to ${dump.coreName}`), last("sync directory"));
  assertLess(last("sync directory"), last("acked"));
});

Deno.test("a write that failed half-way leaves nothing of itself behind the end of the core (P10)", async () => {
  using temp = dumpDirectory();
  const fs: FileSystem = {
    ...realFileSystem,
    write: (fd, bytes, at, length, position) => {
      const fails = position === 5 * PAGE;
      realFileSystem.write(fd, bytes, at, fails ? length >> 1 : length, position);
      if (fails) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    },
  };
  const receiver = new ReceiverHarness(temp.path, fs);
  await receiver.open();
  for (const burst of plainDump().bursts) if (!await receiver.send(...burst)) break;
  await receiver.stop();
  assertEquals(Deno.readFileSync(join(temp.path, findCore(temp.path)!)), plainDump().core.slice(0, 3 * PAGE));
  assertEquals(endingOf(temp.path), "Dump incomplete: write error at offset 20480: no space left on device");
});

Deno.test("a dump directory without hard links has the same files at the end, and nothing is overwritten", async () => {
  using temp = dumpDirectory();
  // What realFileSystem does where link(2) is not supported.
  const fs: FileSystem = {
    ...realFileSystem,
    renameExclusively: (from, to) => {
      if (realFileSystem.entry(to) !== undefined) {
        throw Object.assign(new Error("EEXIST"), { code: "EEXIST" });
      }
      realFileSystem.replace(from, to);
    },
  };
  const dump = encryptedDump();
  const receiver = new ReceiverHarness(temp.path, fs);
  await receiver.open();
  for (const burst of dump.bursts) assert(await receiver.send(...burst));
  await receiver.stop();
  assertFinal(temp.path, dump);
});

Deno.test("renameExclusively() renames, and fails where the name is taken by a file, a directory or a link", () => {
  using temp = new TempDir();
  const path = (name: string) => join(temp.path, name);
  Deno.writeTextFileSync(path("a"), "a");
  realFileSystem.renameExclusively(path("a"), path("b"));
  assertEquals(Array.from(Deno.readDirSync(temp.path), ({ name }) => name), ["b"]);
  Deno.writeTextFileSync(path("file"), "file");
  Deno.mkdirSync(path("directory"));
  Deno.symlinkSync("nowhere", path("link"));
  for (const name of ["file", "directory", "link"]) {
    const error = assertThrows(() => realFileSystem.renameExclusively(path("b"), path(name)));
    assertEquals(errorCode(error), "EEXIST");
    assertEquals(Deno.readTextFileSync(path("b")), "a");
  }
});

Deno.test("a key that is final is read-only again after its dump was taken up and given up", async () => {
  using temp = dumpDirectory();
  const session = {
    ...{ id: "x", client: "192.0.2.7", local: "192.0.2.1", port: 1, heraldSeqno: 1 },
    ...{ path: null, startedMs: 0 },
  };
  const place = { directory: ".", host: "w1" };
  const key = join(temp.path, "key.w1.0");
  const mode = () => Deno.statSync(key).mode! & 0o777;
  const journal = JournalFile.create(realFileSystem, temp.path, { format: 2, session });
  const files = DumpFiles.create(realFileSystem, temp.path, place, null, journal);
  files.writeKey(0, new Uint8Array(16));
  assertEquals(await files.abandon(true, ""), undefined);
  files.close({ forget: false });
  assertEquals(mode(), 0o400);
  const reopened = JournalFile.reopen(realFileSystem, temp.path, "x");
  const again = DumpFiles.reopen(realFileSystem, temp.path, place, 0, reopened, undefined);
  again.writeKey(16, new Uint8Array(16));
  assertEquals(await again.abandon(true, ""), undefined);
  again.close({ forget: true });
  assertEquals([mode(), Deno.statSync(key).size], [0o400, 32]);
});
