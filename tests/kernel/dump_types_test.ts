import { assert, assertEquals, assertMatch } from "@std/assert";
import { readElfSymbols } from "../../lib/kernel/elf_symbols.ts";
import { formatValue } from "../../lib/kernel/value_text.ts";
import { writeCtf } from "./ctf_writer.ts";
import { codeFile, NO_FILES, openDumpedKernel } from "./dumps.ts";
import { madeMinidump } from "./made_dump.ts";
import { madeTest } from "./made.ts";
import type { CrashedKernel } from "./made_kernel.ts";
import { MACHINES } from "./made_targets.ts";

const OBJECT = 1;
const INT = 1;
const PAIR = 4;
/** Says that the container is compressed: in memory it is not, whatever it says (section 12.5). */
const FLAGS_AT = 3;

for (const target of MACHINES) {
  for (const version of [2, 3] as const) {
    madeTest(`a variable has its type out of the dump's own CTF ${version}`, { target }, async (made) => {
      const crashed = await withTypes(await made.crash(0), version);
      // A kernel file without types helps with the order of its symbols alone.
      const stripped = { ...NO_FILES, kernel: await codeFile("kernel", made.kernel) };
      for (const files of [NO_FILES, stripped]) {
        const kernel = await openDumpedKernel(madeMinidump(crashed), files);
        assert(kernel !== null);
        const show = async (name: string) => {
          const { value } = await kernel.variable(name);
          assert(value !== null, name);
          return formatValue(value);
        };
        assertMatch(
          await show("test_pair"),
          /^\{\n {2}first = 42,\n {2}second = 0x[0-9a-f]+ "forty-two"\n\}$/,
        );
        assertEquals(await show("hz"), "1000");
      }
    });
  }
}

/** The kernel with types in memory, as its linker keeps them. */
async function withTypes(crashed: CrashedKernel, version: 2 | 3): Promise<CrashedKernel> {
  const { elf, target } = crashed.made;
  const symbols = await readElfSymbols(elf, elf.section(".symtab")!);
  const objects = symbols.filter(({ type, name, sectionIndex }) =>
    type === OBJECT && name !== "" && sectionIndex !== 0
  );
  const word = target.wordSize;
  const ctf = writeCtf({
    version,
    types: [
      { kind: "integer", name: "int", size: 4, encoding: 1 },
      { kind: "integer", name: "char", size: 1, encoding: 3 },
      { kind: "pointer", target: 2 },
      {
        kind: "struct",
        name: "pair",
        size: 2 * word,
        members: [{ name: "first", type: INT, bitOffset: 0 }, {
          name: "second",
          type: 3,
          bitOffset: 8 * word,
        }],
      },
    ],
    objects: objects.map(({ name }) => name === "test_pair" ? PAIR : INT),
  });
  ctf[FLAGS_AT] = 1;
  const [kernel, ...others] = crashed.memory;
  const bytes = kernel!.bytes.slice();
  const room = symbols.find(({ name }) => name === "ctf_room")!;
  assert(BigInt(ctf.byteLength) <= room.size);
  bytes.set(ctf, Number(room.value - kernel!.address));
  return { ...crashed, memory: [{ ...kernel!, bytes }, ...others] };
}
