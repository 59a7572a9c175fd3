/* amd64: pcb and trap frame as FreeBSD has them (reference kernel-symbols.md, sections 6 and 9.1). */
#define MACHINE "amd64"

struct pcb {
  long r15, r14, r13, r12, rbp, rsp, rbx, rip;
  long rest[32];
};

struct trapframe {
  long rdi, rsi, rdx, rcx, r8, r9, rax, rbx, rbp, r10, r11, r12, r13, r14, r15;
  int trapno;
  unsigned short fs, gs;
  long addr;
  int flags;
  unsigned short es, ds;
  long err, rip, cs, rflags, rsp, ss;
};

extern char fork_trampoline[];
void enter_at(char *entry, struct trapframe *frame) __attribute__((noreturn));
