import { assertEquals } from "@std/assert";
import {
  decodeKernelDumpHeader,
  encodeKernelDumpHeader,
  type KernelDumpHeader,
  type KernelDumpHeaderFields,
} from "../../../lib/kerneldump/files/header.ts";
import { judge, type Verdict } from "../../../lib/serve/session/completeness.ts";
import type { ReceivedHeader } from "../../../lib/serve/session/header.ts";
import { Extents } from "../../../lib/serve/session/extents.ts";
import { JOURNAL_HEADER } from "../../kerneldump/journal_header.ts";

/** A dump of three blocks. */
const LENGTH = 3 * 4096;

function headerWith(
  fields: Partial<KernelDumpHeaderFields> = {},
  damage: Partial<KernelDumpHeader> = {},
): ReceivedHeader {
  const plain = { blockSize: 4096, dumpLength: LENGTH, dumpKeySize: 0, compression: "none" } as const;
  const header = decodeKernelDumpHeader(encodeKernelDumpHeader({ ...JOURNAL_HEADER, ...plain, ...fields }));
  return { kind: "header", header: { ...header, ...damage } };
}

/** A header of a version that is not known, as far as it can be read. */
const newer: ReceivedHeader = {
  kind: "newer",
  header: {
    magic: "FreeBSD Kernel Dump",
    architecture: "amd64",
    version: 5,
    architectureVersion: 2,
    dumpLength: LENGTH,
  },
};

function extents(...ranges: readonly (readonly [number, number])[]): Extents {
  const set = new Extents();
  for (const [start, end] of ranges) set.add(start, end);
  return set;
}

const whole = extents([0, LENGTH]);
const none = extents();

const CASES: readonly (readonly [name: string, verdict: Verdict, reason: string | null])[] = [
  ["a whole dump", judge({ core: whole, key: none, header: headerWith() }), null],
  [
    "a whole compressed dump with its padding",
    judge({ core: whole, key: none, header: headerWith({ dumpLength: LENGTH - 4095, compression: "zstd" }) }),
    null,
  ],
  [
    "a whole compressed dump without its padding",
    judge({ core: extents([0, LENGTH - 7]), key: none, header: headerWith({ dumpLength: LENGTH - 7 }) }),
    null,
  ],
  [
    "a whole encrypted dump",
    judge({ core: whole, key: extents([0, 4096]), header: headerWith({ dumpKeySize: 4096 }) }),
    null,
  ],
  [
    "a dump without a header, though it has no hole",
    judge({ core: whole, key: none, header: { kind: "none" } }),
    "cannot be told: no kernel dump header came",
  ],
  [
    "a dump with a byte less than a header",
    judge({ core: whole, key: none, header: { kind: "part", bytes: 511 } }),
    "header of 511 bytes",
  ],
  ["a whole dump with a header of a newer version", judge({ core: whole, key: none, header: newer }), null],
  [
    "a cut dump with a header of a newer version",
    judge({ core: extents([0, 8192]), key: none, header: newer }),
    "short: 8192 of 12288 bytes",
  ],
  [
    "a version 1 header, which knows no key",
    judge({
      core: whole,
      key: none,
      header: headerWith({ version: 1, dumpKeySize: null, dumpExtent: null, compression: null }),
    }),
    null,
  ],
  [
    "a hole",
    judge({ core: extents([0, 100], [200, LENGTH]), key: none, header: headerWith() }),
    "holes: 100 of 12288 bytes missing in 1 range",
  ],
  [
    "a missing beginning",
    judge({ core: extents([4096, LENGTH]), key: none, header: headerWith() }),
    "holes: 4096 of 12288 bytes missing in 1 range",
  ],
  [
    "a hole and a missing end",
    judge({ core: extents([0, 100], [200, 300]), key: none, header: headerWith() }),
    "holes: 12088 of 12288 bytes missing in 2 ranges",
  ],
  [
    "a hole without a header",
    judge({ core: extents([0, 100], [200, 300]), key: none, header: { kind: "none" } }),
    "cannot be told: no kernel dump header came; holes: 100 of 300 bytes missing in 1 range",
  ],
  [
    "a missing end",
    judge({ core: extents([0, 8192]), key: none, header: headerWith() }),
    "short: 8192 of 12288 bytes",
  ],
  [
    "a header and no data",
    judge({ core: none, key: none, header: headerWith() }),
    "short: 0 of 12288 bytes",
  ],
  [
    "nothing at all",
    judge({ core: none, key: none, header: { kind: "none" } }),
    "cannot be told: no kernel dump header came; no data",
  ],
  [
    "an empty dump with a header",
    judge({ core: none, key: none, header: headerWith({ dumpLength: 0 }) }),
    "no data",
  ],
  [
    "data beyond the padding",
    judge({ core: extents([0, LENGTH + 1]), key: none, header: headerWith() }),
    "overlong: 1 bytes beyond the dump length 12288",
  ],
  [
    "a stale buffer at a high offset, as a kernel's second dump has it",
    judge({ core: extents([0, LENGTH], [2 ** 30, 2 ** 30 + 65536]), key: none, header: headerWith() }),
    "overlong: 1073795072 bytes beyond the dump length 12288",
  ],
  [
    "a header that is none",
    judge({ core: whole, key: none, header: { kind: "damaged", why: "the magic is not a kernel dump's" } }),
    "the kernel dump header is unreadable (the magic is not a kernel dump's)",
  ],
  [
    "a header that was damaged on its way",
    judge({ core: whole, key: none, header: headerWith({}, { parityOk: false }) }),
    "the kernel dump header's parity is wrong",
  ],
  [
    "an encrypted dump without its key",
    judge({ core: whole, key: none, header: headerWith({ dumpKeySize: 4096 }) }),
    "the key is incomplete: 0 of 4096 bytes",
  ],
  [
    "a key with a hole",
    judge({
      core: whole,
      key: extents([0, 1448], [2896, 4096]),
      header: headerWith({ dumpKeySize: 4096 }),
    }),
    "the key is incomplete: 2648 of 4096 bytes",
  ],
  [
    "several problems",
    judge({ core: extents([0, 1]), key: none, header: headerWith({ dumpKeySize: 512 }) }),
    "the key is incomplete: 0 of 512 bytes; short: 1 of 12288 bytes",
  ],
];

for (const [name, { complete, reason }, expected] of CASES) {
  Deno.test(`judge() calls ${name} ${expected === null ? "complete" : "incomplete"} (P3)`, () => {
    assertEquals([complete, reason], [expected === null, expected]);
  });
}

Deno.test("judge() names the missing ranges", () => {
  const core = extents([100, 200], [300, LENGTH - 1]);
  assertEquals(judge({ core, key: none, header: headerWith() }).missing, [
    { start: 0, end: 100 },
    { start: 200, end: 300 },
    { start: LENGTH - 1, end: LENGTH },
  ]);
});

Deno.test("judge() lists 64 of the missing ranges and tells how many bytes are missing in all", () => {
  const core = new Extents();
  for (let at = 1; at < 200; at += 2) core.add(at, at + 1);
  const { missing, reason } = judge({ core, key: none, header: headerWith({ dumpLength: 200 }) });
  assertEquals(missing.length, 64);
  assertEquals(reason, "holes: 100 of 200 bytes missing in 64 ranges or more");
});

Deno.test("judge() takes netdump's block for a header's that cannot be one", () => {
  const complete = (blockSize: number, end: number) =>
    judge({ core: extents([0, end]), key: none, header: headerWith({ dumpLength: 5000, blockSize }) })
      .complete;
  assertEquals([complete(512, 5120), complete(512, 5121)], [true, false]);
  for (const blockSize of [0, 0xffffffff]) {
    assertEquals([complete(blockSize, 8192), complete(blockSize, 8193)], [true, false]);
  }
});
