import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  controlSize,
  decodeControl,
  type MessageBuffer,
  MESSAGES_LIMIT,
} from "../../../lib/kerneldump/messages/message_buffer.ts";
import { readElfMessages, readMinidumpMessages } from "../../../lib/kerneldump/messages/message_reader.ts";
import { readElfCore } from "../../../lib/kerneldump/elf/elf_core.ts";
import { decodeMinidump } from "../../../lib/kerneldump/minidump/minidump.ts";
import { PageMap } from "../../../lib/kerneldump/minidump/page_map.ts";
import { type ReadAt, readAtOf } from "../../../lib/bytes/source.ts";
import { realVmcore, testWithVmcores } from "../real_vmcores.ts";
import {
  buildElfCore,
  buildMessageBuffer,
  buildMinidump,
  buildReferenceFixture,
  MINIDUMP_KINDS,
  type SyntheticMessageBuffer,
  type SyntheticMinidump,
} from "../synthetic.ts";
import { cpuMs } from "../../cpu_time.ts";

async function readMessages(dump: Uint8Array, limit = 1 << 30): Promise<MessageBuffer | undefined> {
  const readAt = readAtOf(dump);
  const minidump = decodeMinidump(dump);
  return await readMinidumpMessages(readAt, minidump, (await PageMap.read(readAt, minidump)).pages, limit);
}

/** The messages of a minidump with this message buffer. */
async function messages(
  buffer: SyntheticMessageBuffer,
  fields: SyntheticMinidump = {},
): Promise<MessageBuffer> {
  const read = await readMessages(buildMinidump({ messageBuffer: buildMessageBuffer(buffer), ...fields }));
  assert(read !== undefined);
  return read;
}
const codes = (buffer: MessageBuffer) => buffer.problems.map((p) => p.code);

const LINES = Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join("");

Deno.test("the messages of the reference's fixture come in order", async () => {
  const buffer = (await readMessages(buildReferenceFixture()))!;
  assertEquals(buffer.text.length, 8120);
  assert(buffer.text.startsWith("<6>line 01420\n"));
  assert(buffer.text.endsWith("<6>line 01999\n"));
  assertEquals([buffer.order, buffer.wrapped, buffer.problems], ["control", true, []]);
});

for (const kind of MINIDUMP_KINDS) {
  const { architecture, version, littleEndian: little, pageSize } = kind;
  const order = little ? "little" : "big";
  Deno.test(`messages of ${architecture} version ${version}, ${order} endian, ${pageSize}: wrapped or not`, async () => {
    const short = await messages({ text: "one\ntwo\n", unread: 4, architecture, little }, kind);
    assertEquals(short, {
      text: "one\ntwo\n",
      wrapped: false,
      order: "control",
      problems: [],
    });
    const long = await messages({ text: LINES, architecture, little }, kind);
    assertEquals([long.wrapped, long.order, long.problems], [true, "control", []]);
    assert(LINES.endsWith(long.text));
  });
}

Deno.test("the sequences wrap at 16 times the size", async () => {
  const text = "x".repeat(16 * 1000 + 7) + "the end\n";
  const buffer = await messages({ text, size: 1000, unread: 200 });
  assertEquals(buffer.text, text.slice(-1000));
});

Deno.test("of more messages than any kernel has the newest are kept, which is told", async () => {
  const text = `the first\n${"0123456789abcde\n".repeat(2 ** 20)}the last\n`;
  for (const rest of [0, 5000]) {
    const size = text.length + rest;
    const buffer = await messages({ text, size, control: rest === 0 });
    assertEquals(buffer.text, text.slice(-MESSAGES_LIMIT));
    assert(codes(buffer).includes("message-buffer-cut"));
    const { section } = buildMessageBuffer({ text: `${text}${text}`, size: text.length });
    const wrapped = await readMessages(buildMinidump({ messageBuffer: { section, size: text.length } }));
    assertEquals(wrapped?.text, text.slice(-MESSAGES_LIMIT));
  }
  const exact = "x".repeat(MESSAGES_LIMIT);
  assertEquals(codes(await messages({ text: exact, size: MESSAGES_LIMIT + 100 })), []);
});

Deno.test("a wrong checksum is told, and the order still believed", async () => {
  const buffer = await messages({ text: LINES, checksum: 1 });
  assertEquals(codes(buffer), ["message-buffer-checksum"]);
  assert(LINES.endsWith(buffer.text));
});

Deno.test("an empty message buffer is told", async () => {
  assertEquals(codes(await messages({ text: "" })), ["message-buffer-empty"]);
  assertEquals(codes(await messages({ text: "", control: false })), [
    "message-buffer-no-control",
    "message-buffer-empty",
  ]);
});

Deno.test("without control structure, a buffer that has not wrapped is in order", async () => {
  const buffer = await messages({ text: "one\ntwo\n", control: false });
  assertEquals(buffer.text, "one\ntwo\n");
  assertEquals([buffer.wrapped, buffer.order], [false, "unwrapped"]);
  assertEquals(codes(buffer), ["message-buffer-no-control"]);
});

Deno.test("without control structure, the last words of the panic tell where the text begins", async () => {
  for (
    const end of [
      "Uptime: 1h2m3s\n",
      "Uptime: 9s\nDumping 512 out of 8160 MB:..4%..8%",
      "Uptime: 2d0h0m9s\nDumping 203 MB: 188 172",
    ]
  ) {
    const text = LINES + "panic: x\ncpuid = 1\n" + end;
    const buffer = await messages({ text, control: false });
    assert(text.endsWith(buffer.text), buffer.text.slice(0, 40));
    assertEquals(buffer.text.length, 8120);
    assertEquals(buffer.order, "guessed");
    assertEquals(codes(buffer), ["message-buffer-no-control", "message-buffer-order-guessed"]);
  }
});

Deno.test("the last words of an earlier boot's panic do not mislead the guess", async () => {
  const old = "panic: old\nUptime: 1s\nDumping 1 out of 2 MB:..9%\nDump complete\n---<<BOOT>>---\n";
  for (const padding of [10, 300, 600, 700]) {
    const text = LINES + old + "booting\n".repeat(padding) + "panic: new\ncpuid = 1\nUptime: 5s\n";
    const buffer = await messages({ text, control: false });
    assert(text.endsWith(buffer.text), `${padding}`);
  }
});

Deno.test("without control structure, time stamps that go back once tell where the text begins", async () => {
  const text = Array.from({ length: 900 }, (_, i) => `[${i}.${String(i).padStart(6, "0")}] line\n`).join("");
  const buffer = await messages({ text, control: false });
  assert(text.endsWith(buffer.text));
  assertEquals(buffer.order, "guessed");
});

Deno.test("where nothing tells the order, the text is shown as it lies, and that is said", async () => {
  const buffer = await messages({ text: LINES, control: false });
  assertEquals(buffer.order, "unknown");
  assertEquals(codes(buffer), ["message-buffer-no-control", "message-buffer-order-unknown"]);
  assertEquals(buffer.text.length, 8120);
});

Deno.test("a control structure that cannot be right is not believed", () => {
  const machine = { littleEndian: true, wordSize: 8 } as const;
  const { section, size } = buildMessageBuffer({ text: LINES });
  const damaged = (at: number, value: number) => {
    const control = section.slice(size);
    new DataView(control.buffer).setUint32(at, value, true);
    return decodeControl(control, machine);
  };
  assertEquals(damaged(8, 0x063062)?.size, 8120);
  assertEquals(damaged(8, 0x063063), undefined, "magic");
  assertEquals(damaged(12, 8121), undefined, "size");
  assertEquals(damaged(16, 8120 * 16), undefined, "write sequence");
  assertEquals(damaged(20, 0xffffffff), undefined, "read sequence");
  assertEquals(damaged(28, 8120), undefined, "modulus");
  assertEquals(decodeControl(section.subarray(size, size + controlSize(machine) - 1), machine), undefined);
  const zero = new Uint8Array(64);
  new DataView(zero.buffer).setUint32(8, 0x063062, true);
  assertEquals(decodeControl(zero, machine), undefined, "size 0");
});

Deno.test("a control structure of another size than the header's is not believed", async () => {
  const messageBuffer = { ...buildMessageBuffer({ text: LINES }), size: 8112 };
  assertEquals((await readMessages(buildMinidump({ messageBuffer })))!.order, "unknown");
});

Deno.test("a control structure that is cut off is said to be", async () => {
  const text = "one\n";
  const whole = buildMessageBuffer({ text, size: 4096 - 16 });
  const dump = buildMinidump({
    messageBuffer: { section: whole.section.subarray(0, 4096), size: whole.size },
  });
  const buffer = (await readMessages(dump))!;
  assertEquals(buffer.text, text);
  assertStringIncludes(buffer.problems[0]!.message, "cut off");
});

/** A live dump: the text in its section, text and control structure among the pages. */
function liveDump(): Uint8Array<ArrayBuffer> {
  const { section, size } = buildMessageBuffer({ text: LINES, unread: 9 });
  return buildMinidump({
    messageBuffer: { section: section.subarray(0, size), size },
    pages: { 0x1000: section.subarray(0, 4096), 0x2000: section.subarray(4096) },
  });
}

Deno.test("the control structure of a live dump is found among the pages", async () => {
  const buffer = (await readMessages(liveDump()))!;
  assertEquals([buffer.order, buffer.problems], ["control", []]);
  assert(LINES.endsWith(buffer.text));
});

Deno.test("a control structure among the pages that has moved on makes the order a guess", async () => {
  const dump = liveDump();
  dump[0x1000] = 0x21;
  const buffer = (await readMessages(dump))!;
  assertEquals([buffer.order, codes(buffer)], ["guessed", ["message-buffer-order-guessed"]]);
});

Deno.test("pages are not searched beyond the limit", async () => {
  assertEquals((await readMessages(liveDump(), 0))!.order, "unknown");
});

Deno.test("a message buffer whose size is absurd is not read", async () => {
  for (const size of [0, 0xffffffff]) {
    const dump = buildMinidump();
    new DataView(dump.buffer).setUint32(28, size, true);
    assertEquals(await readMessages(dump), undefined);
  }
  const cut = buildReferenceFixture();
  assertEquals(await readMessages(cut.subarray(0, 0x1000)), undefined);
  const half = (await readMessages(cut.subarray(0, 0x1800)))!;
  assertStringIncludes(half.problems[0]!.message, "not in the file");
});

Deno.test("a size that the file does not hold costs no memory", async () => {
  const dump = buildMinidump();
  new DataView(dump.buffer).setUint32(28, 60 * 1024 * 1024, true);
  let largest = 0;
  const readAt: ReadAt = (offset, length) => {
    largest = Math.max(largest, length);
    return readAtOf(dump)(offset, length);
  };
  await readMinidumpMessages(readAt, decodeMinidump(dump), { offset: 0, size: 0 }, 0);
  assert(largest <= 1024 * 1024, `${largest}`);
});

Deno.test("the control structure of a live dump is found also where pointers are capabilities", async () => {
  const { section, size } = buildMessageBuffer({ text: LINES, capabilities: true });
  for (const architecture of ["arm64", "riscv"] as const) {
    const dump = buildMinidump({
      architecture,
      messageBuffer: { section: section.subarray(0, size), size },
      pages: { 0x1000: section.subarray(0, 4096), 0x2000: section.subarray(4096) },
    });
    const buffer = (await readMessages(dump))!;
    assertEquals([buffer.order, buffer.problems], ["control", []]);
    assert(LINES.endsWith(buffer.text));
  }
});

/** A full dump with the message buffer somewhere in its last segment. */
function fullDump(at: number, buffer: SyntheticMessageBuffer, bits: 32 | 64 = 64, littleEndian = true) {
  const { section, size } = buildMessageBuffer({
    ...buffer,
    little: littleEndian,
    ...(bits === 32 ? { architecture: "arm" } : {}),
  });
  const contents = new Uint8Array(0x300000);
  contents.set(section, at);
  return {
    size,
    dump: buildElfCore({
      bits,
      littleEndian,
      segments: [{ address: 0n, contents: new Uint8Array(0x9000) }, { address: 0x100000n, contents }],
    }),
  };
}
async function elfMessages(dump: Uint8Array, limit = 1 << 30): Promise<MessageBuffer | undefined> {
  return await readElfMessages(readAtOf(dump), await readElfCore(readAtOf(dump)), limit);
}

Deno.test("the message buffer of a full dump is found wherever it is, at any word size and byte order", async () => {
  for (const bits of [32, 64] as const) {
    for (const littleEndian of [true, false]) {
      // The last ones put the structure across the border of two search windows.
      for (
        const at of [0, 0x5000, 0x2fd000, 0x100000 - 8192 + 8, 0x100000 - 8120 - 8, 0x200000 - 8136 - 24]
      ) {
        const { dump } = fullDump(at, { text: LINES, unread: 9 }, bits, littleEndian);
        const buffer = await elfMessages(dump);
        assert(buffer !== undefined, `${bits} ${littleEndian} ${at}`);
        assertEquals([buffer.order, buffer.problems], ["control", []]);
        assert(LINES.endsWith(buffer.text));
      }
    }
  }
});

Deno.test("the message buffer of a full dump is found where pointers are capabilities", async () => {
  for (const littleEndian of [true, false]) {
    for (const at of [0, 0x5000, 0x100000 - 8112 - 16, 0x100000 - 8112 - 8]) {
      const { dump } = fullDump(at, { text: LINES, unread: 9, capabilities: true }, 64, littleEndian);
      const buffer = await elfMessages(dump);
      assert(buffer !== undefined, `${littleEndian} ${at}`);
      assertEquals([buffer.order, buffer.problems], ["control", []]);
      assert(LINES.endsWith(buffer.text));
    }
  }
});

Deno.test("of several control structures in a full dump, the one whose checksum is right counts", async () => {
  const { dump } = fullDump(0x5000, { text: LINES });
  const decoy = buildMessageBuffer({ text: "old\n", checksum: 7 }).section;
  dump.set(decoy, dump.byteLength - 0x4000);
  assert(LINES.endsWith((await elfMessages(dump))!.text));
  const only = fullDump(0x5000, { text: LINES, checksum: 7 }).dump;
  assertEquals(codes((await elfMessages(only))!), ["message-buffer-checksum"]);
});

Deno.test("a full dump is not searched beyond the limit, and one without a message buffer has none", async () => {
  const { dump } = fullDump(0x150000, { text: LINES });
  assertEquals(await elfMessages(dump, 1024 * 1024), undefined);
  assertEquals(await elfMessages(buildElfCore()), undefined);
});

Deno.test("thousands of planted control structures do not make a full dump slow", async () => {
  const contents = new Uint8Array(0x400000);
  const view = new DataView(contents.buffer);
  for (let at = 0x200000; at < contents.byteLength; at += 32) {
    [0x063062, 0x100000, 5, 5, 1, 0x1000000].forEach((value, i) =>
      view.setUint32(at + 8 + 4 * i, value, true)
    );
  }
  const started = cpuMs();
  await elfMessages(buildElfCore({ segments: [{ address: 0n, contents }] }));
  assert(cpuMs() - started < 5000, `took ${cpuMs() - started} ms`);
});

Deno.test("segments that lie about their size or overlap do not prolong the search", async () => {
  const contents = new Uint8Array(0x200000);
  const reads = async (dump: Uint8Array) => {
    let count = 0;
    const core = await readElfCore(readAtOf(dump));
    const readAt: ReadAt = (offset, length) => {
      count++;
      return readAtOf(dump)(offset, length);
    };
    assertEquals(await readElfMessages(readAt, core, Infinity), undefined);
    return count;
  };
  const huge = buildElfCore({ segments: [{ address: 0n, contents }] });
  new DataView(huge.buffer).setBigUint64(64 + 32, 1n << 51n, true);
  assert(await reads(huge) < 80, "a segment of 2 PiB");
  const many = buildElfCore({
    segments: [
      { address: 0n, contents },
      ...Array.from({ length: 1000 }, () => ({ address: 0n, contents: new Uint8Array(0) })),
    ],
  });
  const view = new DataView(many.buffer);
  const first = Number(view.getBigUint64(64 + 8, true));
  for (let i = 1; i <= 1000; i++) {
    view.setBigUint64(64 + 56 * i + 8, BigInt(first), true);
    view.setBigUint64(64 + 56 * i + 32, 0x200000n, true);
  }
  assert(await reads(many) < 80, "the same segment a thousand times");
});

Deno.test("messages survive any ring and control structure", async () => {
  const part = fc.constantFrom(
    "Uptime: 3s\n",
    "Dumping 1 out of 2 MB:..5%",
    "[9] a\n",
    "[1.5] b\n",
    "---<<BOOT>>---\n",
    "\0",
    "ÿ\n",
  );
  const cases = fc.tuple(
    fc.array(part, { maxLength: 80 }),
    fc.boolean(),
    fc.array(fc.tuple(fc.nat(8192 + 71), fc.nat(255)), { maxLength: 6 }),
  );
  await fc.assert(fc.asyncProperty(cases, async ([parts, control, changes]) => {
    const messageBuffer = buildMessageBuffer({ text: parts.join(""), control, size: 256 });
    for (const [at, value] of changes) messageBuffer.section[at % messageBuffer.section.byteLength] = value;
    const buffer = await readMessages(buildMinidump({ messageBuffer }));
    assert(buffer !== undefined && buffer.text.length <= 256);
  }));
});

testWithVmcores("the message buffers of the real vmcores are blank, and that is said", async () => {
  for (const architecture of ["amd64", "arm64"] as const) {
    const buffer = (await readMessages(await realVmcore(architecture)))!;
    assertEquals(buffer.text, "");
    assert(codes(buffer).includes("message-buffer-empty"));
  }
});
