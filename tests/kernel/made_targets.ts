/** The machines that kernels are made for, as far as Debian has compilers for them (see `made_kernel.ts`). */

/** A machine that the kernel is made for. */
export interface Target {
  /** What is said behind its name, where several compilers make the machine's kernels. */
  readonly title: string;
  readonly name: "amd64" | "i386" | "arm64" | "riscv64";
  readonly compiler: readonly string[];
  /** What compiles assembler, if not the compiler: clang's own leaves it out of debug info that a frame is a trap's. */
  readonly assembler?: readonly string[];
  readonly linker: readonly string[];
  /** The linker's option for the address of the first segment. */
  readonly baseOption: string;
  readonly binutils: string;
  /** What runs its programs, in front of them. */
  readonly emulator: readonly string[];
  readonly gdb: string;
  readonly wordSize: 4 | 8;
  /** Where it runs, and where a kernel lies. */
  readonly low: bigint;
  readonly high: bigint;
  /** Whether modules are relocatable files; else they are shared objects. */
  readonly relocatableModules: boolean;
  /** Whether the compiler's call frame information is right at calls only, so that gdb errs at other instructions. */
  readonly rulesAtCallsOnly?: true;
}

const GCC = [
  "-fno-ipa-sra",
  // gdb and addr2line disagree on lines of instructions that begin none.
  "-gno-statement-frontiers",
];
const GNU = { title: "", baseOption: "-Ttext-segment" } as const;
/** FreeBSD's own compiler and linker. */
const LLVM = { title: " by clang and lld", baseOption: "--image-base", linker: ["ld.lld-14"] } as const;

type TargetMachine = Pick<
  Target,
  "name" | "binutils" | "emulator" | "gdb" | "wordSize" | "low" | "high" | "relocatableModules"
>;

const AMD64: TargetMachine = {
  name: "amd64",
  binutils: "",
  emulator: [],
  gdb: "gdb",
  wordSize: 8,
  low: 0x5a200000n,
  high: 0xffffffff80200000n,
  relocatableModules: true,
};
const AMD64_FLAGS = [
  "-mcmodel=kernel",
  "-mno-red-zone",
  "-mno-sse",
  "-mno-omit-leaf-frame-pointer",
  "-fcf-protection=none",
];

const I386: TargetMachine = {
  name: "i386",
  binutils: "",
  // A Linux on amd64 may run 64-bit programs only.
  emulator: ["qemu-i386"],
  gdb: "gdb",
  wordSize: 4,
  // Programs and kernels can lie at the same address.
  low: 0x800000n,
  high: 0x800000n,
  relocatableModules: false,
};
const I386_FLAGS = ["-mno-sse", "-mno-omit-leaf-frame-pointer", "-fcf-protection=none"];

const ARM64: TargetMachine = {
  name: "arm64",
  binutils: "aarch64-linux-gnu-",
  emulator: ["qemu-aarch64"],
  gdb: "gdb-multiarch",
  wordSize: 8,
  low: 0x5a200000n,
  high: 0xffff000000000000n,
  relocatableModules: false,
};
const ARM64_FLAGS = ["-mgeneral-regs-only", "-mno-omit-leaf-frame-pointer"];

const RISCV64: TargetMachine = {
  name: "riscv64",
  binutils: "riscv64-linux-gnu-",
  emulator: ["qemu-riscv64"],
  gdb: "gdb-multiarch",
  wordSize: 8,
  low: 0x5a200000n,
  high: 0xffffffc000000000n,
  relocatableModules: false,
};
const RISCV64_FLAGS = [
  "-mabi=lp64",
  "-mcmodel=medany",
  "-msmall-data-limit=0",
  "-fno-optimize-sibling-calls",
];
/** Debian's objcopy cannot split what lld makes for riscv64. */
const RISCV64_LINKER = ["riscv64-linux-gnu-ld", "--no-relax", "-m", "elf64lriscv"];

/** Machines, as far as Debian has compilers for them. */
export const TARGETS: readonly Target[] = [
  { ...GNU, ...AMD64, compiler: ["gcc", ...GCC, ...AMD64_FLAGS], linker: ["ld"] },
  { ...GNU, ...I386, compiler: ["gcc", "-m32", ...GCC, ...I386_FLAGS], linker: ["ld", "-m", "elf_i386"] },
  {
    ...{ ...GNU, ...ARM64, linker: ["aarch64-linux-gnu-ld"] },
    compiler: ["aarch64-linux-gnu-gcc", ...GCC, ...ARM64_FLAGS],
  },
  {
    ...{ ...GNU, ...RISCV64, linker: RISCV64_LINKER },
    compiler: ["riscv64-linux-gnu-gcc", "-march=rv64imac_zifencei", ...GCC, ...RISCV64_FLAGS],
  },
  {
    ...{ ...LLVM, ...AMD64, assembler: ["gcc"] },
    compiler: ["clang-14", "--target=x86_64-unknown-freebsd14.0", ...AMD64_FLAGS],
  },
  {
    ...{ ...LLVM, ...I386, assembler: ["gcc", "-m32"], rulesAtCallsOnly: true },
    compiler: ["clang-14", "--target=i386-unknown-freebsd14.0", ...I386_FLAGS],
  },
  {
    ...{ ...LLVM, ...ARM64, assembler: ["aarch64-linux-gnu-gcc"], rulesAtCallsOnly: true },
    compiler: ["clang-14", "--target=aarch64-unknown-freebsd14.0", ...ARM64_FLAGS],
  },
  {
    ...{ ...GNU, ...RISCV64, title: " by clang", linker: RISCV64_LINKER, rulesAtCallsOnly: true },
    assembler: ["riscv64-linux-gnu-gcc", "-march=rv64imac_zifencei", "-mabi=lp64"],
    compiler: ["clang-14", "--target=riscv64-unknown-freebsd14.0", "-march=rv64imac", ...RISCV64_FLAGS],
  },
];

/** Each machine once: for what does not depend on who compiled it. */
export const MACHINES: readonly Target[] = TARGETS.filter(({ title }) => title === "");
