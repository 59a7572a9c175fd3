import { assertEquals } from "@std/assert";
import type { DebugInfo } from "../../lib/kernel/debug_info.ts";
import type { ElfSymbol } from "../../lib/kernel/elf_symbols.ts";
import { KernelMemory } from "../../lib/kernel/kernel_memory.ts";
import { LoadedCode, type LoadedObject } from "../../lib/kernel/loaded_code.ts";
import { machineOf } from "../../lib/kernel/machine/machines.ts";
import { SymbolTable } from "../../lib/kernel/symbol_table.ts";
import { unwind } from "../../lib/kernel/unwind.ts";
import { Written } from "./written_memory.ts";

function code(
  functions: Readonly<Record<string, bigint>>,
  base: bigint,
  modules: LoadedObject[] = [],
  debug: DebugInfo | null = null,
): LoadedCode {
  const symbols = Object.entries(functions).map(([name, value]): ElfSymbol => ({
    name,
    value,
    size: 0x100n,
    type: 2,
    binding: 1,
    sectionIndex: 1,
  }));
  const kernel = {
    name: "kernel",
    address: base,
    size: 0x10000n,
    file: null,
    symbols: new SymbolTable(symbols, true),
    debug,
  };
  return new LoadedCode([kernel, ...modules]);
}

async function trace(
  architecture: string,
  written: Written,
  loaded: LoadedCode,
  registers: Readonly<Record<string, bigint>>,
): Promise<{ frames: string[]; end: string }> {
  const machine = machineOf(architecture)!;
  const memory = new KernelMemory(written.memory(), machine.format);
  const facts = { osreldate: 1500501, pcbSize: null, trapFrameSize: null };
  const { frames, end } = await unwind(
    { memory, machine, facts, code: loaded },
    new Map(Object.entries(registers)),
  );
  return {
    frames: frames.map(({ pc, place, trap }) => {
      const name = place?.symbol === undefined
        ? place === null
          ? `0x${pc.toString(16)}`
          : `${place.object.name}+0x${(pc - place.object.address).toString(16)}`
        : `${place.symbol.name}+0x${place.offset!.toString(16)}`;
      return trap === null ? name : `${name} ${trap.kind} ${trap.name}`;
    }),
    end,
  };
}

const TEXT = 0xffffffff80200000n;
const STACK = 0xfffffe0000010000n;

Deno.test("unwind() finds the caller of a call of NULL on amd64 by the return address on the stack", async () => {
  const memory = new Written();
  memory.write(TEXT, new Uint8Array(16));
  // trap_pfault's frame, above it the trap frame that calltrap made.
  const trapped = STACK + 0x100n;
  memory.word(STACK, trapped + 0x200n);
  memory.word(STACK + 8n, TEXT + 0x208n);
  const frame = STACK + 16n;
  memory.word(frame + 64n, trapped + 0x200n);
  memory.word(frame + 120n, 12n, 4);
  memory.word(frame + 128n, 0n);
  memory.word(frame + 152n, 0n);
  memory.word(frame + 160n, 0x20n);
  memory.word(frame + 168n, 0x10286n);
  memory.word(frame + 176n, trapped);
  // What called NULL, and its caller in a module whose file is missing.
  memory.word(trapped, TEXT + 0x320n);
  memory.word(trapped + 0x200n, 0n);
  memory.word(trapped + 0x208n, 0xffffffff80301234n);
  const module = {
    name: "crashme.ko",
    address: 0xffffffff80300000n,
    size: 0x2000n,
    file: null,
    symbols: null,
    debug: null,
  };
  const functions = { trap_pfault: TEXT + 0x100n, calltrap: TEXT + 0x200n, caller: TEXT + 0x300n };
  assertEquals(
    await trace("amd64", memory, code(functions, TEXT, [module]), {
      rip: TEXT + 0x110n,
      rbp: STACK,
      rsp: STACK - 8n,
    }),
    {
      frames: ["trap_pfault+0x10", "calltrap+0x8 trap page fault", "0x0", "caller+0x20", "crashme.ko+0x1234"],
      end: "frame-pointer-0",
    },
  );
});

Deno.test("unwind() ends where frames loop, and where the stack is not there", async () => {
  const memory = new Written();
  memory.word(STACK, STACK);
  memory.word(STACK + 8n, TEXT + 0x110n);
  const functions = { again: TEXT + 0x100n };
  const registers = { rip: TEXT + 0x104n, rbp: STACK, rsp: STACK };
  assertEquals((await trace("amd64", memory, code(functions, TEXT), registers)).end, "loop");
  memory.word(STACK, 0xfffffe0000990000n);
  assertEquals((await trace("amd64", memory, code(functions, TEXT), registers)).end, "stack-not-in-dump");
});

Deno.test("unwind() walks i386 frames through a trap frame at the saved ebp", async () => {
  const memory = new Written();
  const [text, stack] = [0x800000n, 0x20000000n];
  memory.write(text, new Uint8Array(0x400).fill(0x90));
  const frame = stack + 8n;
  memory.word(stack, frame, 4);
  // The entry's copy above the kernel: its return address alone says that a trap frame is there.
  memory.word(stack + 4n, 0xffc00123n, 4);
  memory.word(frame + 20n, stack + 0x100n, 4);
  memory.word(frame + 44n, 12n, 4);
  memory.word(frame + 52n, text + 0x240n, 4);
  memory.word(frame + 56n, 0x20n, 4);
  memory.word(stack + 0x100n, 0n, 4);
  memory.word(stack + 0x104n, text + 0x310n, 4);
  const functions = { trap: text + 0x100n, victim: text + 0x200n, caller: text + 0x300n };
  assertEquals(
    await trace("i386", memory, code(functions, text), { eip: text + 0x120n, ebp: stack, esp: stack - 8n }),
    {
      frames: ["trap+0x20", "0xffc00123 trap page fault", "victim+0x40", "caller+0x10"],
      end: "frame-pointer-0",
    },
  );
});

Deno.test("unwind() walks riscv64 frames through a trap frame at the handler's sp, and ends at user mode", async () => {
  const memory = new Written();
  const [text, stack] = [0xffffffc000000000n, 0xffffffd000001000n];
  // sd ra, 8(sp); addi s0, sp, 16: the interrupted function has its frame.
  memory.write(text, new Uint8Array(0x600));
  memory.word(text + 0x200n, 0x00113423n, 4);
  memory.word(text + 0x204n, 0x01010413n, 4);
  const handler = stack + 0x100n;
  memory.word(handler - 16n, 0n);
  memory.word(handler - 8n, text + 0x420n);
  const kernel = handler;
  const record = stack + 0x400n;
  memory.word(kernel + 88n, record);
  memory.word(kernel + 248n, text + 0x240n);
  memory.word(kernel + 256n, 0x100n);
  memory.word(kernel + 264n, 0x18n);
  memory.word(kernel + 272n, 13n);
  memory.word(record - 16n, 0n);
  memory.word(record - 8n, text + 0x520n);
  memory.word(record + 248n, 0x10000n);
  memory.word(record + 272n, 8n);
  const functions = {
    do_trap_supervisor: text + 0x100n,
    victim: text + 0x200n,
    cpu_exception_handler_supervisor: text + 0x400n,
    cpu_exception_handler_user: text + 0x500n,
  };
  assertEquals(
    await trace("riscv64", memory, code(functions, text), { pc: text + 0x110n, s0: handler, sp: stack }),
    {
      frames: [
        "do_trap_supervisor+0x10",
        "cpu_exception_handler_supervisor+0x20 trap load page fault",
        "victim+0x40",
        "cpu_exception_handler_user+0x20 syscall null",
      ],
      end: "user-mode",
    },
  );
});

const nothing = () => Promise.resolve(null);

/** What clang's rules say of a function of arm64 with a frame: of its end nothing. */
function clangRules(start: bigint): DebugInfo {
  const [fp, lr, sp] = [29, 30, 31];
  return {
    frameRow: (pc) => {
      const isFramed = pc - start >= 8n;
      return Promise.resolve(
        pc < start || pc >= start + 0x14n ? null : {
          ...{ start, end: start + 0x14n, returnRegister: lr, isSignalFrame: false },
          ...{ addressSize: 8, littleEndian: true },
          cfa: { kind: "register", register: isFramed ? fp : sp, offset: isFramed ? 16 : 0 },
          rules: new Map(
            isFramed ? [[fp, { kind: "offset", offset: -16 }], [lr, { kind: "offset", offset: -8 }]] : [],
          ),
        },
      );
    },
    sourceFrames: () => Promise.resolve([]),
    types: { struct: nothing, typedef: nothing, variable: nothing },
  };
}

const ARM64_VICTIM: readonly (readonly [code: bigint, what: string])[] = [
  [0xa9bf7bfdn, "stp x29, x30, [sp, #-16]!"],
  [0x910003fdn, "mov x29, sp"],
  [0xd503201fn, "nop"],
  [0xa8c17bfdn, "ldp x29, x30, [sp], #16"],
  [0xd65f03c0n, "ret"],
];

for (const withRules of [false, true]) {
  for (const [at, [, what]] of ARM64_VICTIM.entries()) {
    const rules = withRules ? "clang's rules" : "no rules";
    Deno.test(`unwind() finds the caller of arm64 code that was interrupted at ${what}, by ${rules}`, async () => {
      const memory = new Written();
      const [text, stack] = [0xffff000000001000n, 0xffff000080001000n];
      const [victim, link] = [text + 0x200n, text + 0x310n];
      memory.write(text, new Uint8Array(0x600));
      ARM64_VICTIM.forEach(([code], i) => memory.word(victim + BigInt(4 * i), code, 4));
      const [top, callersFrame, callersStack] = [stack + 0x400n, stack + 0x600n, stack + 0x500n];
      memory.word(callersFrame, 0n);
      memory.word(callersFrame + 8n, text + 0x510n);
      const ownFrame = callersStack - 16n;
      memory.word(ownFrame, callersFrame);
      memory.word(ownFrame + 8n, link);
      const isFramed = at === 2 || at === 3;
      // The handler's frame, and the trap frame below it.
      memory.word(stack, top);
      memory.word(stack + 8n, text + 0x40cn);
      const trap = top - 288n;
      memory.word(trap, at === 0 || at === 4 ? callersStack : ownFrame);
      // A function that called others has kept another return address than it will go to.
      memory.word(trap + 8n, isFramed ? victim + 8n : link);
      memory.word(trap + 16n, victim + BigInt(4 * at));
      memory.word(trap + 24n, 0x60000005n);
      memory.word(trap + 32n, 0x96000004n);
      memory.word(trap + 40n, 0x10n);
      memory.word(trap + 48n + 8n * 29n, isFramed ? ownFrame : callersFrame);
      const functions = {
        do_el1h_sync: text + 0x100n,
        victim,
        caller: text + 0x300n,
        handle_el1h_sync: text + 0x400n,
        start: text + 0x500n,
      };
      const loaded = code(functions, text, [], withRules ? clangRules(victim) : null);
      assertEquals(await trace("arm64", memory, loaded, { pc: text + 0x120n, x29: stack, sp: stack }), {
        frames: [
          "do_el1h_sync+0x20",
          "handle_el1h_sync+0xc trap data abort in the kernel",
          `victim+0x${(4 * at).toString(16)}`,
          "caller+0x10",
          "start+0x10",
        ],
        end: "frame-pointer-0",
      });
    });
  }
}
