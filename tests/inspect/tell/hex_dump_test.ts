import { assertEquals } from "@std/assert";
import { formatHexDump } from "../../../lib/inspect/tell/hex_dump.ts";
import { type MemoryPiece, missingPiece } from "../../../lib/kerneldump/memory.ts";

async function dump(pieces: MemoryPiece[], bits: 32 | 64 = 64): Promise<string[]> {
  const lines: string[] = [];
  for await (
    const line of formatHexDump(
      (async function* () {
        yield* pieces;
      })(),
      bits,
    )
  ) lines.push(line);
  return lines.join("").trimEnd().split("\n");
}

function piece(address: bigint, physicalAddress: bigint, fileOffset: number, bytes: Uint8Array): MemoryPiece {
  return { address, length: bytes.byteLength, physicalAddress, fileOffset, bytes };
}

Deno.test("formatHexDump() begins rows at multiples of 16 and shows printable characters only", async () => {
  const bytes = new TextEncoder().encode("Hi\x1b[2J, kernel\x80memory");
  assertEquals(await dump([piece(0xffffffff8000000en, 0x10en, 0x800e, bytes)]), [
    "# physical address 0x10e, offset 0x800e in the dump",
    "ffffffff8000000e                                             48 69  |              Hi|",
    "ffffffff80000010  1b 5b 32 4a 2c 20 6b 65  72 6e 65 6c c2 80 6d 65  |.[2J, kernel..me|",
    "ffffffff80000020  6d 6f 72 79                                       |mory            |",
  ]);
});

Deno.test("formatHexDump() leaves out equal rows, says what is missing and when the place in the dump jumps", async () => {
  assertEquals(
    await dump([
      piece(0x1000n, 0x1000n, 0x6000, new Uint8Array(64)),
      piece(0x1040n, 0x1040n, 0x6040, new Uint8Array(16).fill(0x41)),
      missingPiece(0x1050n, 0x1050n, 16, "the kernel did not dump this page"),
      piece(0x1060n, 0x1060n, 0x9000, new Uint8Array(2)),
    ], 32),
    [
      "# offset 0x6000 in the dump",
      "00001000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|",
      "*",
      "00001040  41 41 41 41 41 41 41 41  41 41 41 41 41 41 41 41  |AAAAAAAAAAAAAAAA|",
      "00001050  16 bytes are not there: the kernel did not dump this page",
      "# offset 0x9000 in the dump",
      "00001060  00 00                                             |..              |",
    ],
  );
});

Deno.test("formatHexDump() says where it ends if the last rows are left out", async () => {
  const zeros = "00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|";
  assertEquals(await dump([piece(0x1000n, 0x1000n, 0x6000, new Uint8Array(64))], 32), [
    "# offset 0x6000 in the dump",
    `00001000  ${zeros}`,
    "*",
    "00001040",
  ]);
  assertEquals(
    await dump(
      [piece(0x1000n, 0x1000n, 0x6000, new Uint8Array(32)), missingPiece(0x1020n, null, 8, "gone")],
      32,
    ),
    [
      "# offset 0x6000 in the dump",
      `00001000  ${zeros}`,
      "*",
      "00001020  8 bytes are not there: gone",
    ],
  );
});
