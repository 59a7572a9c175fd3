/* i386: pcb and trap frame as FreeBSD has them (reference kernel-symbols.md, sections 6 and 9.2). */
#define MACHINE "i386"

struct pcb {
  long edi, esi, ebp, esp, ebx, eip;
  long rest[42];
};

struct trapframe {
  long fs, es, ds, edi, esi, ebp, isp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags, esp, ss;
};

extern char fork_trampoline[];
void enter_at(char *entry, struct trapframe *frame) __attribute__((noreturn));
