import { canCompress, FrameCompressor } from "../../lib/bytes/zstd/compress.ts";
import { encodeSeekTable, type FrameSize } from "../../lib/bytes/zstd/seek_table.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { encodeKernelDumpKey } from "../../lib/kerneldump/files/key.ts";
import { examine } from "../../lib/inspect/examine.ts";
import type { Findings } from "../../lib/inspect/findings.ts";
import type { Thoroughness } from "../../lib/inspect/examination.ts";
import { buildDeviceImage, buildElfCore, buildTextdump, concatenate } from "../kerneldump/synthetic.ts";
import { seededRandom } from "../helpers.ts";
import { headerOf, MESSAGES, minidumpWithMessages, receivedDump, withFiles } from "./dumps.ts";
import { run, withoutGzip, withoutZstd } from "./tools.ts";
import { cpuMs } from "../cpu_time.ts";

async function look(path: string, thoroughness: Thoroughness = "look"): Promise<Findings> {
  const examination = await examine(path, { thoroughness, privateKey: null });
  examination.close();
  return examination.findings;
}

const codes = ({ problems }: Findings) => problems.map(({ code }) => code);

/** Gives what a file is found to be, with files of these names and contents beside it. */
async function findingsOf(
  name: string,
  files: Readonly<Record<string, Uint8Array | string>>,
  thoroughness?: Thoroughness,
): Promise<Findings> {
  let findings: Findings | undefined;
  await withFiles(files, async (_, path) => {
    findings = await look(path(name), thoroughness);
  });
  return findings!;
}

const MINIDUMP = minidumpWithMessages();

Deno.test("examine() tells a received minidump, its header, messages, panic and that it is whole", async () => {
  const found = await findingsOf("vmcore.w1.0", receivedDump("w1.0", MINIDUMP));
  assertEquals([found.kind, found.complete, codes(found)], ["minidump", true, []]);
  assertEquals(found.header?.source, "kdh.w1.0");
  assertEquals(found.summary, {
    host: "w1.example",
    time: 1684328878,
    timeZoned: true,
    signature: "sleeping thread",
    panic: "sleeping thread",
    version: "FreeBSD 14.0-CURRENT #2 main-n261806-d3a49f62a284: Mon Mar 27 16:15:25 UTC 2023\n" +
      "    tj@displacementactivity:/usr/obj/usr/src/amd64.amd64/sys/GENERIC\n",
    uptime: "4d20h3m9s",
  });
  assertEquals(found.messages, MESSAGES);
  assertEquals(found.panic?.backtrace.length, 3);
});

Deno.test("examine() finds the panic and version in the messages where no header is", async () => {
  const found = await findingsOf("vmcore", { vmcore: MINIDUMP });
  assertEquals(found.header, null);
  assertEquals(found.summary.panic, "sleeping thread");
  assertEquals(found.summary.version, "FreeBSD 14.0-RELEASE GENERIC amd64");
  assertEquals(found.complete, true);
});

Deno.test("examine() takes the panic from the messages where the header cut it off", async () => {
  const panic = "a".repeat(170) + " and the rest of a long panic";
  const dump = minidumpWithMessages(MESSAGES.replace("sleeping thread\ncpuid", `${panic}\ncpuid`));
  const found = await findingsOf(
    "vmcore.w1.0",
    receivedDump("w1.0", dump, { header: { panicString: panic } }),
  );
  assertEquals(found.header?.panicString?.length, 174);
  assertEquals(found.summary.panic, panic);
});

Deno.test("examine() reads savecore's info file where there is no kdh", async () => {
  const info = "Dump header from device: /dev/ada0p3\n  Architecture: amd64\n  Dump Length: " +
    `${MINIDUMP.byteLength}\n  Hostname: h\n  Panic String: p\n  Dump Parity: 1\n  Dump Status: bad\n`;
  const found = await findingsOf("vmcore.0", { "vmcore.0": MINIDUMP, "info.0": info });
  assertEquals([found.header?.source, found.header?.hostname], ["info.0", "h"]);
  assertEquals([found.complete, codes(found)], [false, ["savecore-bad"]]);
});

Deno.test("examine() says a dump with holes is not complete, as our server recorded it", async () => {
  const found = await findingsOf(
    "vmcore.w1.0.incomplete",
    receivedDump("w1.0", MINIDUMP, {
      name: "vmcore.w1.0.incomplete",
      extra: [["Missing", "0x1000-0x2000 (4096 bytes), 0x5000-0x6000 (4096 bytes)"]],
      ending: "Dump incomplete: 2 ranges never arrived",
    }),
  );
  assertEquals([found.complete, codes(found)], [false, ["received-holes", "received-incomplete"]]);
});

Deno.test("examine() says of a dump without a verdict that it cannot be told", async () => {
  const found = await findingsOf("vmcore.w1.0", receivedDump("w1.0", MINIDUMP, { ending: null }));
  assertEquals([found.complete, codes(found)], [null, ["received-no-verdict"]]);
});

Deno.test("examine() takes the name .incomplete at its word where there is no info file", async () => {
  const found = await findingsOf("vmcore.w1.0.incomplete", { "vmcore.w1.0.incomplete": MINIDUMP });
  assertEquals([found.complete, codes(found)], [false, ["received-incomplete"]]);
});

Deno.test("examine() sees that companions belong to another dump", async () => {
  const other = receivedDump("w1.0", MINIDUMP, { header: { dumpLength: 4096, architecture: "aarch64" } });
  const found = await findingsOf("vmcore.w1.0", other);
  assertEquals(codes(found), ["header-mismatch", "header-mismatch"]);
  assertEquals(found.complete, true);
});

Deno.test("examine() names a companion that cannot be read or is damaged, and goes on", async () => {
  const found = await findingsOf("vmcore.w1.0", {
    ...receivedDump("w1.0", MINIDUMP),
    "kdh.w1.0": "no header at all",
  });
  assertEquals([found.header?.source, codes(found)], ["info.w1.0", ["header-damaged-beside"]]);
});

Deno.test("examine() follows vmcore.<host>.last to the companions of the dump it leads to", async () => {
  await withFiles(receivedDump("w1.0", MINIDUMP), async (_, path) => {
    Deno.symlinkSync("vmcore.w1.0", path("vmcore.w1.last"));
    assertEquals((await look(path("vmcore.w1.last"))).header?.source, "kdh.w1.0");
  });
});

for (const cut of [100, 4095, 4096, 9000, 0x3800, 0x5000, 0x6800, MINIDUMP.byteLength - 1]) {
  Deno.test(`examine() says that a minidump cut to ${cut} bytes is not whole`, async () => {
    const found = await findingsOf("vmcore.w1.0", receivedDump("w1.0", MINIDUMP.subarray(0, cut)));
    assertEquals([found.kind, found.complete], ["minidump", false]);
  });
}

Deno.test("examine() calls a sparse tail of savecore doubtful, and one from the network a cut", async () => {
  const cut = MINIDUMP.subarray(0, MINIDUMP.byteLength - 4096);
  const saved = await findingsOf("vmcore.0", { "vmcore.0": cut });
  assertEquals([saved.complete, codes(saved)], [null, ["missing-tail"]]);
  const received = await findingsOf("vmcore.w1.0", receivedDump("w1.0", cut));
  assertEquals(received.complete, false);
});

Deno.test("examine() tells the kinds of the small files, and what info says", async () => {
  const files = receivedDump("w1.0", MINIDUMP);
  const key = encodeKernelDumpKey({
    cipher: "chacha20",
    iv: new Uint8Array(32).fill(7),
    encryptedKey: new Uint8Array(256).fill(9),
  });
  const header = await findingsOf("kdh.w1.0", files);
  assertEquals([header.kind, header.complete, header.header?.source], [
    "kernel-dump-header",
    null,
    "kdh.w1.0",
  ]);
  const info = await findingsOf("info.w1.0", files);
  assertEquals([info.kind, info.complete, info.header?.source], ["info", true, "info.w1.0"]);
  const found = await findingsOf("key.w1.0", { ...files, "key.w1.0": key });
  assertEquals([found.kind, found.complete, found.key?.cipher], ["key", null, "chacha20"]);
  const cleared = headerOf(MINIDUMP).bytes;
  new TextEncoder().encodeInto("Cleared", cleared);
  assertEquals(codes(await findingsOf("h", { h: cleared })), ["header-cleared"]);
});

Deno.test("examine() reads full dumps and textdumps", async () => {
  const elf = await findingsOf("vmcore.0", { "vmcore.0": buildElfCore() });
  assertEquals([elf.kind, elf.complete, elf.elf?.machine], ["elf-core", true, "amd64"]);
  const text = await findingsOf("textdump.tar.0", { "textdump.tar.0": buildTextdump() });
  assertEquals([text.kind, text.complete, text.summary.panic], ["textdump", true, "boom"]);
  assertEquals(text.summary.version, "FreeBSD 13.2-RELEASE GENERIC\n");
  assertMatch(text.textdump?.ddb ?? "", /Tracing pid 0/);
});

for (const sectorSize of [512, 4096]) {
  Deno.test(`examine() reads a minidump from a raw dump device of ${sectorSize}-byte sectors`, async () => {
    const { bytes } = headerOf(MINIDUMP, { blockSize: sectorSize });
    const image = buildDeviceImage({ header: bytes, data: MINIDUMP, sectorSize });
    const found = await findingsOf("ada0p3", { ada0p3: image });
    assertEquals([found.kind, found.complete, codes(found)], ["minidump", true, []]);
    assertEquals([found.header?.source, found.onDevice], ["ada0p3", true]);
    assertEquals(found.messages, MESSAGES);
  });
}

Deno.test("examine() reads a textdump from a raw dump device, where it stands backwards", async () => {
  const textdump = buildTextdump();
  const { bytes } = headerOf(textdump, { magic: "FreeBSD Text Dump", blockSize: 512 });
  const image = buildDeviceImage({ header: bytes, data: textdump, backwards: true });
  const found = await findingsOf("image", { image });
  assertEquals([found.kind, found.complete, found.summary.panic], ["textdump", true, "sleeping thread"]);
  assertEquals(found.textdump?.panic, "boom");
});

Deno.test("examine() reads a live dump with its header at the very end", async () => {
  const { bytes } = headerOf(MINIDUMP, { panicString: "" });
  const found = await findingsOf("live", { live: concatenate([MINIDUMP, bytes]) });
  assertEquals([found.kind, found.complete, found.onDevice], ["minidump", true, true]);
});

Deno.test("examine() says what a file is that is no kernel dump", async () => {
  for (
    const [contents, message] of [
      ["", /it is empty/],
      ["hello", /nothing that belongs to a kernel dump$/],
      [buildElfCore({ osAbi: 9 }), /core of a process/],
    ] as const
  ) {
    const found = await findingsOf("x", { x: contents });
    assertEquals([found.kind, codes(found)], ["unknown", ["unrecognized"]]);
    assertMatch(found.problems[0]!.message, message);
  }
});

Deno.test("examine() refuses pipes, directories and what is not there, without waiting", async () => {
  await withFiles({}, async (directory, path) => {
    await assertRejects(() => look(path("absent")), Deno.errors.NotFound);
    await assertRejects(() => look(directory), TypeError, "neither a file nor a disk");
    await run("mkfifo", [path("pipe")]);
    await assertRejects(() => look(path("pipe")), TypeError, "neither a file nor a disk");
  });
});

const TOOLS = [["gzip", "gz", withoutGzip, ["-n"]], ["zstd", "zst", withoutZstd, ["-q", "--check"]]] as const;

for (const [tool, suffix, without, args] of TOOLS) {
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({ name: `examine(): ${tool}: ${name}${without}`, ignore: without !== "", fn });
  const compress = async (plain: Uint8Array) => (await run(tool, ["-c", ...args], plain)).stdout;
  const name = `vmcore.w1.0.${suffix}`;
  const received = (stored: Uint8Array, dumpLength: number) =>
    receivedDump("w1.0", stored, {
      name,
      header: { compression: tool, dumpLength, dumpExtent: MINIDUMP.byteLength },
    });

  test("a compressed dump is looked through", async () => {
    const stored = await compress(MINIDUMP);
    const found = await findingsOf(name, received(stored, stored.byteLength));
    assertEquals([found.kind, found.layers, found.complete, codes(found)], ["minidump", [tool], true, []]);
    assertEquals([found.plainSize, found.messages], [MINIDUMP.byteLength, MESSAGES]);
  });

  test("padding to a block is no fault, more behind the stream is told", async () => {
    const stored = await compress(MINIDUMP);
    const padded = concatenate([stored, new Uint8Array(4096 - stored.byteLength % 4096)]);
    const found = await findingsOf(name, received(padded, stored.byteLength));
    assertEquals([found.complete, codes(found)], [true, []]);
    const junk = concatenate([stored, new Uint8Array(9000).fill(7)]);
    const odd = await findingsOf(`x.${suffix}`, { [`x.${suffix}`]: junk });
    assertEquals([odd.complete, codes(odd)], [false, ["trailing-garbage"]]);
    const zeros = await findingsOf(`x.${suffix}`, {
      [`x.${suffix}`]: concatenate([stored, new Uint8Array(9000)]),
    });
    assertEquals([zeros.complete, codes(zeros)], [true, ["trailing-data"]]);
    // Kernels that leave what was in the block's end: the header tells where the dump ends.
    const stale = concatenate([stored, new Uint8Array(4096 - stored.byteLength % 4096).fill(7)]);
    const vouched = await findingsOf(name, received(stale, stored.byteLength));
    assertEquals([vouched.complete, codes(vouched)], [true, []]);
  });

  test("several members or frames are one dump, wherever it was cut", async () => {
    const cuts = [0, 1000, 4096, MINIDUMP.byteLength - 1, MINIDUMP.byteLength];
    const parts = cuts.slice(1).map((to, i) => MINIDUMP.subarray(cuts[i]!, to));
    const stored = concatenate(await Promise.all([...parts, new Uint8Array(0)].map(compress)));
    const found = await findingsOf(name, received(stored, stored.byteLength));
    assertEquals([found.kind, found.complete, codes(found), found.plainSize], [
      "minidump",
      true,
      [],
      MINIDUMP.byteLength,
    ]);
    // A member that is damaged is no garbage behind the dump.
    const damaged = stored.slice();
    damaged[stored.byteLength - 3]! ^= 0x55;
    assertEquals((await findingsOf(name, received(damaged, stored.byteLength))).complete, false);
  });

  test("a stream that is cut anywhere is never called whole", async () => {
    const stored = await compress(MINIDUMP);
    for (let cut = 20; cut < stored.byteLength; cut += Math.ceil(stored.byteLength / 40)) {
      const found = await findingsOf(name, received(stored.subarray(0, cut), stored.byteLength));
      assertEquals(found.complete, false, `cut at ${cut}`);
      assert(codes(found).includes("compressed-truncated"), `cut at ${cut}`);
    }
  });

  test("a wrong checksum is found", async () => {
    const stored = await compress(MINIDUMP);
    stored[stored.byteLength - (tool === "gzip" ? 7 : 2)]! ^= 1;
    const found = await findingsOf(name, received(stored, stored.byteLength));
    assertEquals([found.complete, codes(found)], [false, ["compressed-checksum"]]);
  });

  test("a large dump is judged by its header's length at a glance, by reading with --verify", async () => {
    const large = concatenate([MINIDUMP, new Uint8Array(17 * 2 ** 20)]);
    const stored = await compress(large);
    const files = receivedDump("w1.0", stored, {
      name,
      header: { compression: tool, dumpLength: stored.byteLength, dumpExtent: large.byteLength },
    });
    const glance = await findingsOf(name, files);
    assertEquals([glance.complete, codes(glance), glance.plainSize], [true, [], null]);
    // The zeros behind the pages belong to no section: only reading all of it shows them.
    const verified = await findingsOf(name, files, "verify");
    assertEquals([verified.complete, codes(verified)], [
      false,
      ["size-mismatch"],
    ]);
    const alone = await findingsOf(name, { [name]: stored });
    assertEquals([alone.complete, codes(alone)], [null, ["compressed-unread"]]);
  });
}

Deno.test("examine() answers at once for a dump of 200 GB, sparse as they are", async () => {
  await withFiles(receivedDump("w1.0", MINIDUMP), async (_, path) => {
    await Deno.truncate(path("vmcore.w1.0"), 200e9);
    const startMs = cpuMs();
    const found = await look(path("vmcore.w1.0"));
    const elapsedMs = cpuMs() - startMs;
    assertEquals([found.size, found.complete], [200e9, false]);
    assert(elapsedMs < 1000, `it took ${elapsedMs} ms`);
  });
});

for (const [tool, suffix, without, args] of TOOLS) {
  Deno.test({
    name: `examine() and ${tool} -t agree on damaged streams${without}`,
    ignore: without !== "",
    fn: async () => {
      const random = seededRandom(11);
      const stored = (await run(tool, ["-c", ...args], MINIDUMP)).stdout;
      const name = `vmcore.1.${suffix}`;
      for (let i = 0; i < 40; i++) {
        const bytes = stored.slice(0, i % 4 === 0 ? Math.floor(random() * stored.byteLength) : undefined);
        // Past the magic: without it, it is another kind of file.
        const at = 10 + Math.floor(random() * (bytes.byteLength - 10));
        if (i % 4 !== 0) bytes[at]! ^= 1 << Math.floor(random() * 8);
        const found = await findingsOf(name, { [name]: bytes }, "verify");
        const { code } = await run(tool, ["-t", "-q"], bytes);
        const bad = codes(found).some((problem) => problem.startsWith("compressed-"));
        assertEquals(bad, code !== 0, `${tool}, round ${i}, byte ${at}: ${codes(found)}`);
      }
    },
  });
}

Deno.test({
  name: "examine(): a dump in zstd frames with a seek table is known to be whole without reading all of it" +
    (!canCompress ? " (skipped: this Deno has no zstd)" : ""),
  ignore: !canCompress,
  fn: async () => {
    const FRAME_BYTES = 4096;
    const compressor = new FrameCompressor(FRAME_BYTES);
    const frames: Uint8Array[] = [];
    const sizes: FrameSize[] = [];
    for (let at = 0; at < MINIDUMP.byteLength; at += FRAME_BYTES) {
      const plain = MINIDUMP.subarray(at, at + FRAME_BYTES);
      const frame = compressor.compress(plain).slice();
      frames.push(frame);
      sizes.push({ compressed: frame.length, plain: plain.length, checksum: 0 });
    }
    compressor.close();
    const stored = concatenate([...frames, encodeSeekTable(sizes)]);
    const name = "vmcore.w1.0.zst";
    const received = (bytes: Uint8Array) =>
      receivedDump("w1.0", bytes, { name, header: { dumpLength: MINIDUMP.byteLength } });
    for (const thoroughness of ["look", "verify"] as const) {
      const found = await findingsOf(name, received(stored), thoroughness);
      assertEquals([found.kind, found.layers, found.complete, codes(found)], [
        "minidump",
        ["zstd"],
        true,
        [],
      ]);
      assertEquals([found.plainSize, found.messages], [MINIDUMP.byteLength, MESSAGES]);
    }
    // The last frame holds pages, which only reading all of it sees.
    const damaged = stored.slice();
    damaged[stored.byteLength - encodeSeekTable(sizes).byteLength - 1]! ^= 1;
    const found = await findingsOf(name, received(damaged), "verify");
    assertEquals([found.complete, codes(found)], [false, ["compressed-checksum"]]);
    // Its table says that the last frame is longer than it is.
    const lying = concatenate([
      ...frames,
      encodeSeekTable([...sizes.slice(0, -1), { ...sizes.at(-1)!, plain: sizes.at(-1)!.plain + 1 }]),
    ]);
    const told = await findingsOf(name, received(lying), "verify");
    assertEquals([told.complete, codes(told).includes("compressed-damaged")], [false, true]);
  },
});

Deno.test("examine() of a textdump made to be large keeps what such a dump has: the last messages, a line of panic", async () => {
  const long = "A".repeat(100_000);
  const messages = "0123456789abcde\n".repeat(1.5 * 2 ** 20);
  const textdump = buildTextdump({
    "ddb.txt": `db> bt\nvpanic() at vpanic+0x1/frame 0x1\n${long}\n`,
    "msgbuf.txt": `${messages}panic: boom\n`,
    "panic.txt": long,
    "version.txt": long,
  });
  const { textdump: found, messages: told, problems, summary } = await findingsOf("textdump.tar.0", {
    "textdump.tar.0": textdump,
  });
  assertEquals([found?.panic?.length, found?.version?.length], [4096, 4096]);
  assertEquals([told?.length, told?.endsWith("panic: boom\n")], [16 * 2 ** 20, true]);
  assertEquals(problems.map(({ code }) => code), ["message-buffer-cut"]);
  assertEquals(summary.panic?.length, 4096);
});
