/** Small programs compiled by gcc, whose debug info the binutils explain: oracles for what we read of it. */

import { readAtOf } from "../../lib/bytes/source.ts";
import { type ElfFile, readElfFile } from "../../lib/kernel/elf_file.ts";
import { isInstalled } from "../programs.ts";

const MISSING = ["gcc", "addr2line", "readelf"].filter((tool) => !isInstalled(tool));
const IS_AMD64 = Deno.build.arch === "x86_64";

const SOURCE = `
#include "inline.h"
enum state { OFF, ON = 5, BAD = -1 };
typedef struct pair pair_t;
struct pair { int first; const char *second; pair_t *next; };
union word { unsigned int whole; unsigned char bytes[4]; };
struct big {
  char name[20];
  struct { int x; int y; };
  unsigned a : 3, b : 5;
  long long c : 40;
  union word w[2][3];
  enum state state;
  int (*handler)(struct pair *, volatile long);
  _Bool flag;
  double d;
};
struct opaque;
struct opaque *hidden;
pair_t test_pair = { 7, "seven", &test_pair };
struct big bigs[3];
static volatile int counter;
extern int undefined_here;
#define AT(type, member) __builtin_offsetof(type, member)
const unsigned long expected[] = { sizeof(struct big), AT(struct big, x), AT(struct big, y), AT(struct big, w),
  AT(struct big, state), AT(struct big, handler), AT(struct big, flag), AT(struct big, d), sizeof(bigs) };

static int __attribute__((noinline)) leaf(int n) { counter += n; return n * 3; }
static int middle(int n) {
  int sum = 0;
  for (int i = 0; i < n; i++) {
    sum += twice(leaf(i));
    if (sum > 1000) { int extra = twice(sum); counter = extra; }
  }
  return sum;
}
int __attribute__((noinline)) outer(int n, char *buffer) {
  char local[256];
  for (int i = 0; i < 256; i++) ((volatile char *)local)[i] = buffer[i & n];
  return middle(n) + thrice(n) + local[n & 255];
}
void _start(void) { bigs[0].c = outer(5, bigs[0].name); for (;;) ; }
`;

const HEADER = `
static inline __attribute__((always_inline)) int twice(int n) {
  return n * 2 + 1;
}
static inline __attribute__((always_inline)) int thrice(int n) {
  int m = twice(n);
  return m + twice(m);
}
`;

/** A compiled program. */
export interface Compiled {
  readonly bytes: Uint8Array;
  readonly file: ElfFile;
  /** Compiles the same source with other flags. */
  compileAgain(flags: readonly string[]): Promise<ElfFile>;
  run(tool: string, args: readonly string[], input?: string): Promise<string>;
}

/** A test of a program compiled with these flags: skipped, and says so, where a tool is missing. */
export function gccTest(
  name: string,
  flags: readonly string[],
  test: (program: Compiled) => Promise<void>,
): void {
  const why = MISSING.length > 0 ? `no ${MISSING[0]} here` : IS_AMD64 ? "" : "the machine is not amd64";
  Deno.test({
    name: why === "" ? name : `${name} (skipped: ${why})`,
    ignore: why !== "",
    fn: async () => {
      const directory = await Deno.makeTempDir({ prefix: "netdump-test-" });
      try {
        await test(await compile(directory, flags));
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

async function compile(directory: string, flags: readonly string[]): Promise<Compiled> {
  await Deno.writeTextFile(`${directory}/program.c`, SOURCE);
  await Deno.writeTextFile(`${directory}/inline.h`, HEADER);
  const run = (tool: string, args: readonly string[], input = "") => runIn(directory, tool, args, input);
  const link = flags.includes("-c") ? [] : ["-nostdlib", "-static", "-no-pie"];
  await run("gcc", [
    ...flags,
    ...link,
    "-ffreestanding",
    "-fno-stack-protector",
    "-o",
    "program",
    "program.c",
  ]);
  const bytes = await Deno.readFile(`${directory}/program`);
  const compileAgain = async (others: readonly string[]) => (await compile(directory, others)).file;
  return { bytes, file: await readElfFile(readAtOf(bytes)), compileAgain, run };
}

async function runIn(cwd: string, tool: string, args: readonly string[], input: string): Promise<string> {
  const process = new Deno.Command(tool, {
    args: [...args],
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  })
    .spawn();
  const writing = new Blob([input]).stream().pipeTo(process.stdin).catch(() => {});
  const { code, stdout, stderr } = await process.output();
  await writing;
  if (code !== 0) throw new Error(`${tool} exited with ${code}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
