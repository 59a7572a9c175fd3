/* arm64: pcb and trap frame as FreeBSD 15 has them (reference kernel-symbols.md, sections 6 and 9.3). */
#define MACHINE "arm64"

struct pcb {
  long x19[10], x29, lr, sp;
  long rest[20];
};

struct trapframe {
  long sp, lr, elr, spsr, esr, far, x[30];
};

extern char fork_trampoline[];
void enter_at(char *entry, struct trapframe *frame) __attribute__((noreturn));
