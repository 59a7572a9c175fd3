import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync } from "@std/fs/exists";
import { MESSAGES, minidumpWithMessages, receivedDump, withFiles } from "../../inspect/dumps.ts";
import { encryptDump, makeKeyPair } from "../../inspect/encrypted_dumps.ts";
import { openssl, withoutOpenssl } from "../../inspect/tools.ts";
import { buildReferenceFixture, buildTextdump } from "../../kerneldump/synthetic.ts";
import { netdump, startNetdump } from "../netdump_process.ts";

const READ = ["--allow-read"];
const WRITE = ["--allow-read", "--allow-write"];
const MINIDUMP = minidumpWithMessages();

Deno.test("netdump inspect exits 0 for good dumps, 1 for bad ones, and needs to read only", async () => {
  const files = { ...receivedDump("w1.0", MINIDUMP), cut: MINIDUMP.subarray(0, 9000), text: "hello" };
  await withFiles(files, async (_, path) => {
    const good = await netdump(["inspect", path("vmcore.w1.0")], READ);
    assertEquals([good.status, good.stderr], [0, ""]);
    assertMatch(good.stdout, /Panic +sleeping thread\n/);
    const cut = await netdump(["inspect", path("cut")], READ);
    assertEquals([cut.status, cut.stderr], [1, ""]);
    assertMatch(cut.stdout, /Whole +NO\n/);
    const text = await netdump(["inspect", path("text")], READ);
    assertEquals([text.status, text.stderr], [1, ""]);
    const verified = await netdump(["inspect", "--verify", path("vmcore.w1.0"), path("kdh.w1.0")], READ);
    assertEquals(verified.status, 0);
    assertMatch(verified.stdout, /Whole +yes, all of it was read\n/);
  });
});

Deno.test("netdump inspect names each file it cannot read in one line, and goes on with the others", async () => {
  await withFiles(receivedDump("w1.0", MINIDUMP), async (_, path) => {
    const { status, stdout, stderr } = await netdump(
      ["inspect", "--json", path("absent\x1b"), path("vmcore.w1.0"), "/dev/tty"],
      READ,
    );
    assertEquals(status, 1);
    const reports = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(reports.map(({ complete }) => complete), [null, true, null]);
    assertEquals(
      reports.map((report) => Object.keys(report).join()),
      Array(3).fill(Object.keys(reports[1]).join()),
    );
    assertEquals([reports[0].size, reports[0].problems[0].code], [null, "unreadable"]);
    assertStringIncludes(reports[0].problems[0].message, "no such file or directory");
    assertEquals(stderr.trimEnd().split("\n").length, 2);
    assertMatch(stderr, /^netdump: Cannot read ".*absent\\x1b": no such file or directory\n/);
  });
});

Deno.test("netdump inspect --json gives one object a line and file", async () => {
  const files = { ...receivedDump("w1.0", MINIDUMP), "textdump.tar.0": buildTextdump() };
  await withFiles(files, async (_, path) => {
    const names = Object.keys(files).map(path);
    const { stdout } = await netdump(["inspect", "--json", "--dmesg", ...names], READ);
    const reports = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(reports.map(({ file }) => file), names);
    assertEquals(reports.map(({ kind }) => kind), ["minidump", "kernel-dump-header", "info", "textdump"]);
    assertEquals(reports[0].messageBuffer, MESSAGES.replaceAll(/^<\d+>/gm, ""));
    assertEquals(reports[3].messageBuffer, "da0: removed\npanic: boom\ncpuid = 1\n");
  });
});

Deno.test("netdump inspect --dmesg prints the messages in order, priorities only when asked for", async () => {
  await withFiles({ fixture: buildReferenceFixture(), text: "hello" }, async (_, path) => {
    const plain = await netdump(["inspect", "--dmesg", path("fixture")], READ);
    assertEquals(plain.status, 0);
    // The oldest line of the ring is cut.
    const lines = plain.stdout.trimEnd().split("\n");
    assertEquals([lines[1], lines.at(-1)], ["line 01421", "line 01999"]);
    const raw = await netdump(["inspect", "--dmesg", "--priorities", path("fixture")], READ);
    assertMatch(raw.stdout, /<6>line 01999\n$/);
    const none = await netdump(["inspect", "--dmesg", path("text")], READ);
    assertEquals([none.status, none.stdout], [1, ""]);
    assertMatch(none.stderr, /holds no message buffer/);
  });
});

Deno.test("netdump inspect prints memory by virtual and physical address, as the reference's fixture has it", async () => {
  await withFiles({ fixture: buildReferenceFixture() }, async (_, path) => {
    const memory = (...args: string[]) => netdump(["inspect", ...args, path("fixture")], READ);
    const offsets: [option: string, offset: string][] = [
      ["--virtual=0xfffffe0000000010", "0x8010"],
      ["--virtual=0xfffff800001ff010", "0x9010"],
      ["--physical=0x101000", "0x8000"],
    ];
    for (const [option, offset] of offsets) {
      const { status, stdout } = await memory(option, "--length=16");
      assertEquals(status, 0);
      assertStringIncludes(stdout.split("\n")[0]!, `offset ${offset} in the dump`);
    }
    const raw = await memory("--physical=0x100000", "--length=8", "--raw");
    assertEquals([raw.status, raw.stdout], [0, "\x03\x10\x10\0\0\0\0\0"]);
    const missing = await memory("--physical=0x102000", "--length=16");
    assertEquals(missing.status, 1);
    assertMatch(
      missing.stdout,
      /^0000000000102000 {2}16 bytes are not there: the kernel did not dump this page\n$/,
    );
    const rawMissing = await memory("--physical=0x9f000", "--raw");
    assertEquals([rawMissing.status, rawMissing.stdout], [1, ""]);
    assertMatch(rawMissing.stderr, /^netdump: Nothing to print from 0x9f000 on: .*\n$/);
  });
});

Deno.test("netdump inspect --core-txt prints a report, which inspect reads, and refuses what tells nothing", async () => {
  const files = { ...receivedDump("w1.0", MINIDUMP), "info.9": "Dump from w1 [192.0.2.7]\n" };
  await withFiles(files, async (_, path) => {
    const made = await netdump(["inspect", "--core-txt", path("vmcore.w1.0")], READ);
    assertEquals([made.status, made.stderr], [0, ""]);
    await Deno.writeTextFile(path("core.txt.0"), made.stdout);
    const read = await netdump(["inspect", path("core.txt.0")], READ);
    assertMatch(
      read.stdout,
      /crashinfo's report[^]*Panic {5}sleeping thread[^]*whole: its last section is there/,
    );
    const refused = await netdump(["inspect", "--core-txt", path("info.9")], READ);
    assertEquals(refused.status, 1);
    assertMatch(refused.stderr, /^netdump: ".*info\.9" tells nothing to report\. It is no dump\n$/);
  });
});

Deno.test("netdump inspect DIR lists its dumps, as a table and as JSON lines", async () => {
  await withFiles(receivedDump("w1.0", MINIDUMP), async (directory) => {
    const table = await netdump(["inspect", directory], READ);
    assertEquals(table.status, 0);
    assertMatch(
      table.stdout,
      /^HOST .*\nw1 +0 +2023-05-17 13:07 +36\.0 KiB +minidump +whole +[0-9a-f]{6} +sleeping thread\n$/,
    );
    const json = await netdump(["inspect", "--json", directory], READ);
    assertEquals(
      Object.keys(JSON.parse(json.stdout)).join(),
      [
        "directory,file,files,host,number,time,timeOfCrash,size,layers,kind,panic,signature,state,complete,problems,timeZoned",
      ].join(),
    );
    const refused = await netdump(["inspect", "--dmesg", directory], READ);
    assertEquals(refused.status, 2);
    assertMatch(refused.stderr, /Option --dmesg takes a dump, and ".*" is a directory/);
  });
});

Deno.test("netdump inspect --group tells equal panics as one, of what is picked, as a table and as JSON lines", async () => {
  const panic = (id: string, panicString: string) => receivedDump(id, MINIDUMP, { header: { panicString } });
  const files = {
    ...panic("w1.0", "boom 1234567"),
    ...panic("w2.0", "boom 7654321"),
    ...panic("db.0", "other"),
  };
  await withFiles(files, async (directory) => {
    const table = await netdump(["inspect", "--group", directory], READ);
    const [head, first, second, ...rest] = table.stdout.split("\n");
    assertEquals([table.status, rest], [0, [""]]);
    assertMatch(head!, /^SAME +DUMPS +HOSTS/);
    assertMatch(first!, /^[0-9a-f]{6} +2 +w1, w2 +.* boom \d{7}/);
    assertMatch(second!, /^[0-9a-f]{6} +1 +db +/);
    const json = await netdump(["inspect", "--group", "--host", "w1", "--json", directory], READ);
    const group = JSON.parse(json.stdout);
    assertEquals(Object.keys(group).join(), "signature,count,hosts,first,last,panic");
    assertEquals([group.count, group.hosts], [1, ["w1"]]);
    const none = await netdump(["inspect", "--group", "--host", "absent", directory], READ);
    assertMatch(none.stdout, /^No such dumps in /);
    const refused = await netdump(["inspect", "--group", `${directory}/vmcore.w1.0`], READ);
    assertEquals([refused.status, refused.stdout], [2, ""]);
  });
});

Deno.test("netdump inspect DIR keeps what it found where it may write, and a plain file's look writes nothing", async () => {
  const files = Object.assign({}, ...Array.from({ length: 20 }, (_, n) => receivedDump(`w1.${n}`, MINIDUMP)));
  await withFiles(files, async (directory, path) => {
    const names = () => Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
    const before = names();
    await netdump(["inspect", path("vmcore.w1.0")], WRITE);
    const read = await netdump(["inspect", directory], READ);
    assertEquals(names(), before);
    const written = await netdump(["inspect", directory], WRITE);
    assertEquals(names(), [".netdump.inspected", ...before].sort());
    assertEquals([written.stdout, written.stderr], [read.stdout, ""]);
    const again = await netdump(["inspect", directory], READ);
    assertEquals([again.stdout, again.stderr], [read.stdout, ""]);
  });
});

Deno.test("netdump inspect DIR says so where there is no dump", async () => {
  await withFiles({ "bounds.w1": "1\n" }, async (directory) => {
    const { status, stdout } = await netdump(["inspect", directory], READ);
    assertEquals([status, stdout], [
      0,
      `No dumps in ${directory}: no file there is named like one, such as vmcore.0\n`,
    ]);
  });
});

Deno.test({
  name: `netdump inspect --output decrypts to a new file only, and tells a wrong key${withoutOpenssl}`,
  ignore: withoutOpenssl !== "",
  fn: async () => {
    await withFiles({}, async (directory, path) => {
      const right = await makeKeyPair(directory, "right");
      const wrong = await makeKeyPair(directory, "wrong");
      const { encrypted, key } = await encryptDump(MINIDUMP, "chacha20", "oaep", right.publicPath);
      await Deno.writeFile(path("vmcore_encrypted.0"), encrypted);
      await Deno.writeFile(path("key.0"), key);
      await openssl(["pkcs8", "-topk8", "-in", right.pem, "-out", path("locked"), "-passout", "pass:secret"]);
      await Deno.writeTextFile(path("passphrase"), "secret\n");
      const inspect = (...args: string[]) => netdump(["inspect", ...args, path("vmcore_encrypted.0")], WRITE);
      const output = ["--output", path("plain")];

      const closed = await inspect();
      assertEquals([closed.status, closed.stderr], [0, ""]);
      assertMatch(closed.stdout, /--private-key/);
      const refused = await inspect("--private-key", wrong.pem, ...output);
      assertEquals([refused.status, refused.stdout], [1, ""]);
      assertMatch(refused.stderr, /^netdump: Cannot decrypt ".*": The private key is not the dump's: .*\n$/);
      const asked = await inspect("--private-key", path("locked"));
      assertEquals(asked.status, 1);
      assertMatch(asked.stderr, /^netdump: The private key has a passphrase: .*--passphrase-file.*\n$/);
      const passphrase = ["--private-key", path("locked"), "--passphrase-file", path("passphrase")];
      const written = await inspect(...passphrase, ...output);
      assertEquals([written.status, written.stdout], [0, ""]);
      assertMatch(written.stderr, /^netdump: Wrote ".*plain": 36\.0 KiB \(36864 bytes\)\n$/);
      assertEquals(await Deno.readFile(path("plain")), MINIDUMP);
      const again = await inspect(...passphrase, ...output);
      assertEquals(again.status, 1);
      assertMatch(again.stderr, /^netdump: Cannot write ".*plain": it exists already\n$/);
      const all = await inspect(...passphrase, "--json", "--dmesg");
      assertEquals(all.stdout.includes("secret"), false);
      assertEquals(JSON.parse(all.stdout).complete, true);
    });
  },
});

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`netdump inspect --output removes what it wrote when ${signal} ends it`, async () => {
    await withFiles({ "vmcore.0": MINIDUMP }, async (_, path) => {
      await Deno.truncate(path("vmcore.0"), 20e9);
      const process = startNetdump(["inspect", "--output", path("out"), path("vmcore.0")], WRITE);
      while (!existsSync(path("out"))) await new Promise((resolve) => setTimeout(resolve, 1));
      process.kill(signal);
      const { code, stderr } = await process.output();
      assertEquals(code, status);
      assertMatch(new TextDecoder().decode(stderr), /^netdump: Interrupted: ".*out" is removed\n$/);
      assertEquals(existsSync(path("out")), false);
    });
  });
}

Deno.test("netdump inspect /var/crash/* exits 0 where every dump is well, whatever lies beside them", async () => {
  const files = {
    ...receivedDump("w1.0", MINIDUMP),
    bounds: "1\n",
    "bounds.w1": "1\n",
    minfree: "2048\n",
    "core.txt.0": "w1 dumped core - see /var/crash/vmcore.0\n\nFri Nov 21 10:08:00 UTC 2025\n",
    "info.0": "Dump header from device: /dev/ada0p3\n  Dump Length: 4711\n  Dump Status: good\n",
  };
  await withFiles(files, async (_, path) => {
    const { status, stdout, stderr } = await netdump(
      ["inspect", "--json", ...Object.keys(files).map(path)],
      READ,
    );
    assertEquals([status, stderr], [0, ""]);
    const kinds = stdout.trimEnd().split("\n").map((line) => JSON.parse(line).kind);
    assertEquals(kinds, [
      "minidump",
      "kernel-dump-header",
      "info",
      "bounds",
      "bounds",
      "minfree",
      "core-txt",
      "info",
    ]);
  });
});

Deno.test("netdump inspect --member prints a member of a textdump, escaped, and says which there are", async () => {
  const members = { "ddb.txt": "db> bt\nfoo\x1b[2J() at foo+0x1\n", "panic.txt": "boom" };
  await withFiles({ "textdump.tar.0": buildTextdump(members), vmcore: MINIDUMP }, async (_, path) => {
    const member = (name: string, file = "textdump.tar.0") =>
      netdump(["inspect", "--member", name, path(file)], READ);
    const ddb = await member("ddb.txt");
    assertEquals([ddb.status, ddb.stdout, ddb.stderr], [0, "db> bt\nfoo\\x1b[2J() at foo+0x1\n", ""]);
    assertEquals((await member("panic.txt")).stdout, "boom\n");
    const absent = await member("x");
    assertEquals([absent.status, absent.stdout], [1, ""]);
    assertMatch(absent.stderr, /has no member "x", only "ddb.txt", "panic.txt"\n$/);
    assertMatch((await member("ddb.txt", "vmcore")).stderr, /it is no textdump\n$/);
  });
});
