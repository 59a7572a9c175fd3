/** The machines that kernels are made for, as far as Debian has compilers for them (see `made_kernel.ts`). */

/** A machine that the kernel is made for. */
export interface Target {
  readonly name: "amd64" | "i386" | "arm64" | "riscv64";
  readonly compiler: readonly string[];
  readonly linker: readonly string[];
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
}

/** Machines, as far as Debian has compilers for them. */
export const TARGETS: readonly Target[] = [
  {
    name: "amd64",
    compiler: [
      "gcc",
      "-mcmodel=kernel",
      "-mno-red-zone",
      "-mno-sse",
      "-mno-omit-leaf-frame-pointer",
      "-fcf-protection=none",
    ],
    linker: ["ld"],
    binutils: "",
    emulator: [],
    gdb: "gdb",
    wordSize: 8,
    low: 0x5a200000n,
    high: 0xffffffff80200000n,
    relocatableModules: true,
  },
  {
    name: "i386",
    compiler: ["gcc", "-m32", "-mno-sse", "-mno-omit-leaf-frame-pointer", "-fcf-protection=none"],
    linker: ["ld", "-m", "elf_i386"],
    binutils: "",
    emulator: [],
    gdb: "gdb",
    wordSize: 4,
    // Programs and kernels can lie at the same address.
    low: 0x800000n,
    high: 0x800000n,
    relocatableModules: false,
  },
  {
    name: "arm64",
    compiler: ["aarch64-linux-gnu-gcc", "-mgeneral-regs-only", "-mno-omit-leaf-frame-pointer"],
    linker: ["aarch64-linux-gnu-ld"],
    binutils: "aarch64-linux-gnu-",
    emulator: ["qemu-aarch64"],
    gdb: "gdb-multiarch",
    wordSize: 8,
    low: 0x5a200000n,
    high: 0xffff000000000000n,
    relocatableModules: false,
  },
  {
    name: "riscv64",
    compiler: [
      "riscv64-linux-gnu-gcc",
      "-march=rv64imac_zifencei",
      "-mabi=lp64",
      "-mcmodel=medany",
      "-msmall-data-limit=0",
      "-fno-optimize-sibling-calls",
    ],
    linker: ["riscv64-linux-gnu-ld", "--no-relax", "-m", "elf64lriscv"],
    binutils: "riscv64-linux-gnu-",
    emulator: ["qemu-riscv64"],
    gdb: "gdb-multiarch",
    wordSize: 8,
    low: 0x5a200000n,
    high: 0xffffffc000000000n,
    relocatableModules: false,
  },
];
