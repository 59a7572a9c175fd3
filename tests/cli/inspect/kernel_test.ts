import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { withFiles } from "../../inspect/dumps.ts";
import { toyBytes, toyDump, toyTest } from "../../kernel/toy.ts";
import { realVmcore, testWithVmcores } from "../../kerneldump/real_vmcores.ts";
import { SHARED } from "../../helpers.ts";
import { netdump } from "../netdump_process.ts";

const READ = ["--allow-read"];
const SPOOL = ["--allow-read", "--allow-write"];

async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(
    new CompressionStream("gzip"),
  );
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

toyTest("netdump inspect shows the panicking thread's backtrace behind the summary, unasked", async () => {
  const core = await toyDump("amd64-1");
  await withFiles({ vmcore: core, "vmcore.gz": await gzip(core) }, async (_, path) => {
    for (const name of ["vmcore", "vmcore.gz"]) {
      const { status, stdout, stderr } = await netdump(["inspect", path(name)], READ);
      assertEquals([status, stderr], [0, ""]);
      assertMatch(
        stdout,
        /Whole {5}yes\n\nBacktrace of thread 100659 \(sysctl, pid 806\) on CPU 2, which took the dump\n/,
      );
      assertMatch(stdout, / {2}#0 {2}0xffffffff80204ba9 doadump\+0x2d\n/);
      assertMatch(
        stdout,
        / {5}--- trap 0xc \(page fault\), rip = 0xffffffff80205389, .*fault address = 0x9 ---\n/,
      );
      assertStringIncludes(stdout, "  it came from user mode\n");
    }
  });
});

toyTest(
  "netdump inspect --kernel --threads shows lines and inline functions, and folds equal stacks",
  async () => {
    const files = {
      vmcore: await toyDump("amd64-1"),
      kernel: await toyBytes("amd64-1/kernel"),
      "kernel.debug": await toyBytes("amd64-1/kernel.debug"),
    };
    await withFiles(files, async (_, path) => {
      const { status, stdout } = await netdump(
        [
          "inspect",
          "--kernel",
          path("kernel"),
          "--threads",
          "--processes",
          "--variable",
          "test_pair",
          path("vmcore"),
        ],
        READ,
      );
      assertEquals(status, 0);
      assertStringIncludes(stdout, "it is the one that crashed\n");
      assertMatch(stdout, /#11 0xffffffff80204cbd inlined_check \(inline\) at kern\.c:91\n/);
      assertStringIncludes(stdout, "2 threads with the same stack:\n  100060 (pagedaemon/dom0, pid 28)\n");
      // Names out of the dump drive no terminal.
      assertStringIncludes(stdout, "Thread 100500 (e\\x1b[31mvil\\nx/spin\\x07, pid 700) on CPU 3\n");
      assertEquals(stdout.includes("\x1b"), false);
      assertMatch(stdout, /0xffffffff80300000 +0x188 +crashme\.ko\n/);
      assertMatch(stdout, / 28 .* D .* laundry +pagedaemon\n/);
      assertStringIncludes(stdout, "    first = 42,\n");
      const json = await netdump([
        "inspect",
        "--json",
        "--kernel",
        path("kernel"),
        "--threads",
        path("vmcore"),
      ], READ);
      const { kernel } = JSON.parse(json.stdout);
      assertEquals([kernel.symbolsFrom, kernel.matches, kernel.threads.length], ["file", true, 11]);
      assertEquals(kernel.threads[0].frames[7].trap.faultAddress, "0x0000000000000009");
      assertEquals(kernel.processes, []);
    });
  },
);

toyTest(
  "netdump inspect --kernel finds the kernel that crashed among others, and is loud about a wrong one",
  async () => {
    const kernel = await toyBytes("amd64-1/kernel");
    const wrong = kernel.slice();
    // The build-id's last byte.
    wrong[0x6314 + 0x23]! ^= 1;
    const files = {
      vmcore: await toyDump("amd64-1"),
      "boot/kernel.old/kernel": wrong,
      "boot/kernel/kernel": kernel,
      "boot/other/kernel": await toyBytes("arm64-1/kernel"),
      "empty/README": "no kernel",
      text: "no ELF file",
    };
    await withFiles({}, async (directory) => {
      for (const [name, content] of Object.entries(files)) {
        await Deno.mkdir(`${directory}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
        await Deno.writeFile(
          `${directory}/${name}`,
          typeof content === "string" ? new TextEncoder().encode(content) : content,
        );
      }
      const inspect = (kernel: string) =>
        netdump(["inspect", "--kernel", `${directory}/${kernel}`, `${directory}/vmcore`], READ);
      assertMatch(
        (await inspect("boot")).stdout,
        /Kernel {4}.*boot\/kernel\/kernel\n +it is the one that crashed\n/,
      );
      const old = await inspect("boot/kernel.old/kernel");
      assertEquals(old.status, 0);
      assertStringIncludes(old.stdout, "NOT the kernel that crashed");
      assertStringIncludes(old.stdout, "doadump+0x2d");
      const other = await inspect("boot/other/kernel");
      assertStringIncludes(other.stdout, "the file is no kernel of this machine");
      assertStringIncludes(other.stdout, "doadump+0x2d");
      const none = await inspect("empty");
      assertMatch(none.stdout, /No kernel below .*empty" is the one that crashed \[kernel-unread\]/);
      const text = await inspect("text");
      assertEquals([text.status, text.stdout], [1, ""]);
      assertMatch(text.stderr, /^netdump: Cannot use ".*text": Cannot read ELF file: /);
      const absent = await inspect("absent");
      assertEquals(absent.status, 1);
      assertMatch(absent.stderr, /^netdump: Cannot use ".*absent": no such file or directory\n/);
    });
  },
);

testWithVmcores(
  "netdump inspect --kernel spools a large compressed dump, and leaves nothing behind",
  async () => {
    const kernel = await Deno.readFile(new URL("kernels/llvm/kernel-arm64.elf", SHARED));
    const files = { "vmcore.gz": await gzip(await realVmcore("arm64")), kernel };
    await withFiles(files, async (directory, path) => {
      await Deno.mkdir(`${directory}/spool`);
      const options = ["--kernel", path("kernel"), "--spool", `${directory}/spool`];
      const { status, stdout, stderr } = await netdump(
        ["inspect", "--json", ...options, path("vmcore.gz")],
        SPOOL,
      );
      assertEquals([status, stderr], [0, ""]);
      assertEquals(JSON.parse(stdout).kernel.threads[0].registers.pc, "0xffff0000004b6e78");
      assertEquals([...Deno.readDirSync(`${directory}/spool`)], []);
      const absent = await netdump(
        ["inspect", "--kernel", path("kernel"), "--spool", `${directory}/absent`, path("vmcore.gz")],
        SPOOL,
      );
      assertEquals(absent.status, 1);
      assertMatch(absent.stderr, /^netdump: Cannot use ".*absent": no such file or directory\n/);
    });
  },
);
