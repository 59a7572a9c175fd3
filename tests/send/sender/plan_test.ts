import { assertEquals } from "@std/assert";
import { MessageType } from "../../../lib/protocol/message.ts";
import { kernelWrites } from "../../../lib/send/sender/kernel_writes.ts";
import {
  type DumpShape,
  kernelPayloadSize,
  kernelPlan,
  type KernelVersion,
  messageCount,
  windowPlan,
  type WriteRun,
} from "../../../lib/send/sender/plan.ts";

const SHAPE: DumpShape = { pathSize: 0, dataSize: 8192, headerSize: 512, keySize: 0 };
const { HERALD, FINISHED, VMCORE, KDH, EKCD_KEY } = MessageType;

/** Sizes of a plan's VMCORE batches. */
function batchSizes(version: KernelVersion, runs: readonly WriteRun[]): number[] {
  const dataSize = runs.reduce((sum, run) => sum + run.sizeBytes, 0);
  const batches = [...kernelPlan(version, { ...SHAPE, dataSize }, runs)].filter(({ type }) =>
    type === VMCORE
  );
  let offset = 0;
  for (const batch of batches) {
    assertEquals(batch.offset, offset);
    offset += batch.sizeBytes;
  }
  assertEquals(offset, dataSize);
  return batches.map(({ sizeBytes }) => sizeBytes);
}

const typesOf = (batches: Iterable<{ type: MessageType }>) => [...batches].map(({ type }) => type);

// Reference netdump-protocol.md, section 3.1: packets per batch.
for (
  const [batchSize, mtu, version, count, last] of [
    [65536, 1500, "12", 46, 376],
    [65536, 1500, "14", 46, 376],
    [65536, 9000, "12", 16, 4096],
    [65536, 9000, "13", 8, 2900],
    [4096, 1500, "12", 3, 1200],
    [4096, 9000, "12", 1, 4096],
    [4096, 9000, "main", 1, 4096],
    [512, 1500, "14", 1, 512],
    [65536, 4148, "13", 16, 4096],
    [0, 1500, "14", 1, 0],
  ] as const
) {
  Deno.test(`messageCount() of ${batchSize} bytes at MTU ${mtu}, FreeBSD ${version}: ${count}, the last of ${last}`, () => {
    const payloadSize = kernelPayloadSize(version, mtu - 52);
    assertEquals(messageCount(batchSize, payloadSize), count);
    assertEquals(batchSize - (count - 1) * payloadSize, last);
  });
}

Deno.test("windowPlan() sends the key first and the header after the data", () => {
  assertEquals(typesOf(windowPlan({ ...SHAPE, keySize: 4096 })), [HERALD, EKCD_KEY, VMCORE, KDH, FINISHED]);
  assertEquals(typesOf(windowPlan(SHAPE)), [HERALD, VMCORE, KDH, FINISHED]);
});

Deno.test("kernelPlan() sends the key after the header up to 13, before the data from 14", () => {
  const runs = [{ sizeBytes: 8192, writeSize: 65536 }];
  for (const version of ["12", "13"] as const) {
    const types = typesOf(kernelPlan(version, { ...SHAPE, keySize: 4096 }, runs));
    assertEquals(types, [HERALD, VMCORE, KDH, EKCD_KEY, FINISHED], version);
  }
  for (const version of ["14", "main"] as const) {
    const types = typesOf(kernelPlan(version, { ...SHAPE, keySize: 4096 }, runs));
    assertEquals(types, [HERALD, EKCD_KEY, VMCORE, KDH, FINISHED], version);
  }
});

Deno.test("kernelPlan() of 12 sends each write by itself, later kernels gather writes up to 65,536 bytes", () => {
  const runs = [
    { sizeBytes: 4096, writeSize: 4096 },
    { sizeBytes: 98304, writeSize: 65536 },
    { sizeBytes: 4096, writeSize: 65536 },
    { sizeBytes: 5 * 4096, writeSize: 4096 },
    { sizeBytes: 65536 + 8192, writeSize: 65536 },
  ];
  assertEquals(batchSizes("12", runs), [
    4096,
    ...[65536, 32768],
    4096,
    ...[4096, 4096, 4096, 4096, 4096],
    ...[65536, 8192],
  ]);
  // The header does not fit with the first piece of the message buffer, and so on.
  assertEquals(batchSizes("13", runs), [4096, 65536, 32768 + 4096 + 5 * 4096, 65536, 8192]);
  assertEquals(batchSizes("main", [{ sizeBytes: 17 * 4096, writeSize: 4096 }]), [65536, 4096]);
});

const PLAIN = { encrypted: false, compressed: false, beginning: new Uint8Array(4096) };

/** The first page of an amd64 minidump, version 3, by the table of kernel-dump-formats.md, section 3.2. */
function minidumpHeader(): Uint8Array {
  const page = new Uint8Array(4096);
  page.set(new TextEncoder().encode("minidump FreeBSD/amd64"));
  const view = new DataView(page.buffer);
  view.setUint32(24, 3, true);
  view.setUint32(28, 98232, true);
  view.setUint32(32, 4096 * 20, true);
  view.setUint32(36, 4096 * 3, true);
  view.setUint32(64, 4096, true);
  return page;
}

Deno.test("kernelWrites() follows a minidump's sections: page tables page by page, the rest in 65,536s", () => {
  const dataSize = 4096 * (1 + 24 + 1 + 20 + 3 + 40);
  assertEquals(kernelWrites({ ...PLAIN, dataSize, beginning: minidumpHeader() }), [
    { sizeBytes: 4096, writeSize: 4096 },
    { sizeBytes: 98304, writeSize: 65536 },
    { sizeBytes: 4096, writeSize: 65536 },
    { sizeBytes: 81920, writeSize: 65536 },
    { sizeBytes: 12288, writeSize: 4096 },
    { sizeBytes: 163840, writeSize: 65536 },
  ]);
});

Deno.test("kernelWrites() of a cut minidump ends where the file does, whatever its header says", () => {
  assertEquals(kernelWrites({ ...PLAIN, dataSize: 6000, beginning: minidumpHeader() }), [
    { sizeBytes: 4096, writeSize: 4096 },
    { sizeBytes: 1904, writeSize: 65536 },
  ]);
});

Deno.test("kernelWrites() of an encrypted dump are 4,096 bytes: single batches in 12, gathered later", () => {
  const writes = kernelWrites({ ...PLAIN, encrypted: true, dataSize: 69632, beginning: minidumpHeader() });
  assertEquals(batchSizes("12", writes), Array(17).fill(4096));
  assertEquals(batchSizes("13", writes), [65536, 4096]);
});

Deno.test("kernelWrites() of a compressed or unknown dump are 65,536 bytes", () => {
  const compressed = kernelWrites({
    ...PLAIN,
    compressed: true,
    dataSize: 135168,
    beginning: minidumpHeader(),
  });
  assertEquals(batchSizes("12", compressed), [65536, 65536, 4096]);
  assertEquals(batchSizes("12", kernelWrites({ ...PLAIN, dataSize: 69632 })), [65536, 4096]);
});
