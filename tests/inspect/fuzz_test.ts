import { assert, assertEquals } from "@std/assert";
import { examine } from "../../lib/inspect/examine.ts";
import { formatHexDump } from "../../lib/inspect/tell/hex_dump.ts";
import { formatCoreTextReport } from "../../lib/inspect/tell/core_text_report.ts";
import { parseCoreText } from "../../lib/kerneldump/files/core_text.ts";
import { makeReport } from "../../lib/inspect/tell/report.ts";
import { toJsonLine } from "../../lib/text/json.ts";
import type { Thoroughness } from "../../lib/inspect/examination.ts";
import { formatFindings } from "../../lib/inspect/tell/text.ts";
import { encodeKernelDumpKey } from "../../lib/kerneldump/files/key.ts";
import { styleFor } from "../../lib/text/style.ts";
import { seededRandom } from "../helpers.ts";
import {
  buildDeviceImage,
  buildDisk,
  buildElfCore,
  buildMessageBuffer,
  buildMinidump,
  buildTextdump,
  concatenate,
} from "../kerneldump/synthetic.ts";
import { headerOf, receivedDump, withFiles } from "./dumps.ts";
import { run, withoutGzip, withoutZstd } from "./tools.ts";
import { cpuMs } from "../cpu_time.ts";

/** Small, so that every byte can have its turn. */
const MINIDUMP = buildMinidump({
  messageBuffer: buildMessageBuffer({ text: "<6>hello\npanic: boom\ncpuid = 0\n", size: 4000 }),
  pages: { 0x1000: new Uint8Array(4096).fill(1) },
});

/** The bytes of a base that mean something come one by one, the others in strides. */
const MUTATIONS = 300;
/** On a shared machine; what is bounded takes a hundredth of it. */
const SLOWEST_MS = 5000;

// deno-lint-ignore no-control-regex
const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

/** Takes a file through everything that inspect does; nothing may throw, take long or reach a terminal raw. */
async function survive(path: string, thoroughness: Thoroughness, what: string): Promise<boolean | null> {
  const startMs = cpuMs();
  const examination = await examine(path, { thoroughness, privateKey: null });
  const { findings, memory } = examination;
  try {
    const json = toJsonLine(makeReport(findings, { messages: true, priorities: false }));
    JSON.parse(json);
    assertEquals(RAW.test(json.trimEnd()), false, what);
    assertEquals(RAW.test(formatFindings(findings, styleFor(false, true))), false, what);
    const report = formatCoreTextReport(findings, { config: null }, new Date(0));
    assertEquals(RAW.test(report.replaceAll("\t", " ")), false, what);
    assert(parseCoreText(report) !== undefined, what);
    for (
      const address of [
        0n,
        0x1000n,
        0xc000000000000000n,
        0xc008000000000000n,
        0xfffffe0000000000n,
        0xffffffffffffff00n,
      ]
    ) {
      if (memory === null || address >= 2n ** BigInt(memory.addressBits)) continue;
      for await (const _ of formatHexDump(memory.readVirtual(address, 64), memory.addressBits));
      for await (const _ of formatHexDump(memory.readPhysical(address, 64), memory.addressBits));
    }
  } finally {
    examination.close();
  }
  assert(cpuMs() - startMs < SLOWEST_MS, `${what} took too long`);
  return findings.complete;
}

/** Offsets worth changing: where something other than zeros stands, at most so many, and a few others. */
function targets(bytes: Uint8Array, random: () => number): number[] {
  const telling = [...bytes.keys()].filter((at) => bytes[at] !== 0);
  const stride = Math.max(1, Math.ceil(telling.length / MUTATIONS));
  const others = Array.from({ length: 50 }, () => Math.floor(random() * bytes.byteLength));
  return [...telling.filter((_, i) => i % stride === 0), ...others];
}

interface Base {
  readonly name: string;
  readonly files: () => Promise<Record<string, Uint8Array | string>>;
  readonly without?: string;
  /** Whether a cut file can be told from a whole one. */
  readonly tellsCuts: boolean;
}

const compressed = async (tool: "gzip" | "zstd", args: string[]) =>
  (await run(tool, ["-c", ...args], MINIDUMP)).stdout;

const BASES: readonly Base[] = [
  { name: "vmcore.w1.0", files: () => Promise.resolve(receivedDump("w1.0", MINIDUMP)), tellsCuts: true },
  { name: "kdh.w1.0", files: () => Promise.resolve(receivedDump("w1.0", MINIDUMP)), tellsCuts: false },
  { name: "info.w1.0", files: () => Promise.resolve(receivedDump("w1.0", MINIDUMP)), tellsCuts: false },
  { name: "vmcore.0", files: () => Promise.resolve({ "vmcore.0": buildElfCore() }), tellsCuts: false },
  {
    name: "textdump.tar.0",
    files: () => Promise.resolve({ "textdump.tar.0": buildTextdump() }),
    tellsCuts: false,
  },
  {
    name: "device",
    files: () => {
      const { bytes } = headerOf(MINIDUMP, { blockSize: 512 });
      return Promise.resolve({ device: buildDeviceImage({ header: bytes, data: MINIDUMP }) });
    },
    tellsCuts: false,
  },
  {
    name: "newer-device",
    files: () => {
      const { bytes } = headerOf(MINIDUMP, { blockSize: 512 });
      new DataView(bytes.buffer).setUint32(32, 5);
      return Promise.resolve({ "newer-device": buildDeviceImage({ header: bytes, data: MINIDUMP }) });
    },
    tellsCuts: false,
  },
  {
    name: "disk",
    files: () => {
      const { bytes } = headerOf(MINIDUMP, { blockSize: 512 });
      const device = buildDeviceImage({ header: bytes, data: MINIDUMP });
      return Promise.resolve({
        disk: buildDisk([{ at: 0x8000, bytes: device }], { size: 0x8000 + device.byteLength + 4096 }),
      });
    },
    tellsCuts: false,
  },
  {
    name: "core.txt.0",
    files: () =>
      Promise.resolve({
        "core.txt.0": "w1 dumped core - see /var/crash/vmcore.0\n\nFri Nov 21 10:08:00 UTC 2025\n\n" +
          "FreeBSD w1 14.2-RELEASE FreeBSD 14.2-RELEASE GENERIC  amd64\n\npanic: boom\n\n#0  f () at f.c:1\n\n" +
          `${"-".repeat(72)}\ndmesg\n\nhello\n`,
      }),
    tellsCuts: false,
  },
  {
    name: "vmcore.ppc.0",
    files: () => {
      const entry = Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0x10, 9);
      const pages = { 0x1000: entry, 0x2000: entry };
      const radix = { architecture: "powerpc64", mmuName: "mmu_radix", pageTables: entry, pages } as const;
      return Promise.resolve({
        "vmcore.ppc.0": buildMinidump({ ...radix, kernelBase: 0xc000000000000000n }),
      });
    },
    tellsCuts: true,
  },
  {
    name: "live",
    files: () => Promise.resolve({ live: concatenate([MINIDUMP, headerOf(MINIDUMP).bytes]) }),
    tellsCuts: false,
  },
  {
    name: "key.0",
    files: () => {
      const iv = new Uint8Array(32).fill(7);
      const key = { cipher: "chacha20", iv, encryptedKey: new Uint8Array(256).fill(9) } as const;
      return Promise.resolve({ "key.0": encodeKernelDumpKey(key) });
    },
    tellsCuts: false,
  },
  {
    name: "vmcore.1.gz",
    files: async () => ({ "vmcore.1.gz": await compressed("gzip", ["-n"]) }),
    without: withoutGzip,
    tellsCuts: true,
  },
  {
    name: "vmcore.1.zst",
    files: async () => ({ "vmcore.1.zst": await compressed("zstd", ["-q", "--check"]) }),
    without: withoutZstd,
    tellsCuts: true,
  },
];

for (const { name, files, without = "", tellsCuts } of BASES) {
  const test = (what: string, fn: (path: string, good: Uint8Array) => Promise<void>) =>
    Deno.test({
      name: `inspect survives ${name} ${what}${without}`,
      ignore: without !== "",
      fn: async () =>
        await withFiles(await files(), async (_, path) =>
          await fn(path(name), await Deno.readFile(path(name)))),
    });

  test("with any byte changed", async (path, good) => {
    const random = seededRandom(good.byteLength);
    for (const at of targets(good, random)) {
      const bytes = good.slice();
      bytes[at] = [bytes[at]! ^ 1 << Math.floor(random() * 8), 0xff, 0, Math.floor(random() * 256)][at % 4]!;
      await Deno.writeFile(path, bytes);
      await survive(path, at % 2 === 0 ? "look" : "verify", `${name}, byte ${at} set to ${bytes[at]}`);
    }
  });

  test("with four or eight bytes set to extremes", async (path, good) => {
    const random = seededRandom(good.byteLength + 1);
    for (const target of targets(good, random)) {
      const at = target & ~3;
      const bytes = good.slice();
      const [value, length] = [[0xff, 8], [0xff, 4], [0x7f, 8], [0, 8], [0x80, 4]][target % 5]!;
      bytes.fill(value!, at, at + length!);
      await Deno.writeFile(path, bytes);
      await survive(path, "look", `${name}, ${length} bytes at ${at} set to ${value}`);
    }
  });

  test("cut anywhere", async (path, good) => {
    const stride = Math.max(1, Math.floor(good.byteLength / 400));
    for (let cut = 0; cut < good.byteLength; cut += stride) {
      await Deno.writeFile(path, good.subarray(0, cut));
      const complete = await survive(path, "verify", `${name} cut at ${cut}`);
      if (tellsCuts) assert(complete !== true, `${name} cut at ${cut} is called whole`);
    }
  });
}
