/* riscv64: pcb and trap frame as FreeBSD has them (reference kernel-symbols.md, sections 6 and 9.4). */
#define MACHINE "riscv"

struct pcb {
  long ra, sp, gp, tp, s[12];
  long rest[20];
};

struct trapframe {
  long ra, sp, gp, tp, t[7], s[12], a[8], sepc, sstatus, stval, scause, unused;
};

extern char fork_trampoline[];
void enter_at(char *entry, struct trapframe *frame) __attribute__((noreturn));
