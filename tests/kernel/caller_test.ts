import { assertEquals } from "@std/assert";
import { callerFrame } from "../../lib/kernel/dwarf/caller.ts";
import type { FrameRow, RegisterRule } from "../../lib/kernel/dwarf/frames.ts";
import { ByteWriter } from "./elf_writer.ts";

const [RBX, RBP, RSP, RETURN] = [3, 6, 7, 16];
const STACK = 0xfffffe0000001000n;

/** A row of amd64 that counts from the stack pointer. */
function row(offset: number, rules: readonly [register: number, offset: number][]): FrameRow {
  return {
    ...{
      start: 0n,
      end: 1n,
      returnRegister: RETURN,
      isSignalFrame: false,
      addressSize: 8,
      littleEndian: true,
    },
    cfa: { kind: "register", register: RSP, offset },
    rules: new Map(
      rules.map(([register, at]): [number, RegisterRule] => [register, { kind: "offset", offset: at }]),
    ),
  };
}

Deno.test("callerFrame() reads what lies on the stack, and believes no rule that leads below it", async () => {
  const memory = new Map([[STACK - 8n, 0xbadn], [STACK, 0x1234n], [STACK + 8n, 0x5678n]]);
  const read = (address: bigint) => {
    const value = memory.get(address);
    return Promise.resolve(value === undefined ? null : new ByteWriter().integer(8, value).done());
  };
  const registers = new Map([[RSP, STACK], [RBP, 0x42n], [RBX, 0x43n]]);
  // At ret, behind pop %rbp: clang still says that the frame pointer lies where it was saved.
  assertEquals(await callerFrame(row(8, [[RBP, -16], [RETURN, -8]]), registers, RSP, read), {
    cfa: STACK + 8n,
    pc: 0x1234n,
    registers: new Map([[RSP, STACK + 8n], [RBP, 0x42n], [RBX, 0x43n], [RETURN, 0x1234n]]),
  });
  assertEquals(await callerFrame(row(16, [[RBP, -16], [RETURN, -8]]), registers, RSP, read), {
    cfa: STACK + 16n,
    pc: 0x5678n,
    registers: new Map([[RSP, STACK + 16n], [RBP, 0x1234n], [RBX, 0x43n], [RETURN, 0x5678n]]),
  });
});
