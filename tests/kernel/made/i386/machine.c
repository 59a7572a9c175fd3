/* i386: signals become traps. */
#include "kern.h"

/* What Linux tells a signal's handler, as far as it is needed. */
struct context {
  u_long flags;
  void *link;
  u_long stack[3];
  long gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags, esp_at_signal, ss, fpstate,
    oldmask, cr2;
};
struct action {
  void (*handler)(int, void *, struct context *);
  u_long flags;
  void (*restorer)(void);
  u_long mask[2];
};
extern char calltrap[], nmi_calltrap[], Xtimerint[], Xcpustop[], Xdblfault[], Xint0x80_syscall[];
void restore_signal(void);

static char *const entries[] = { calltrap, Xtimerint, Xcpustop, nmi_calltrap, Xdblfault, Xint0x80_syscall };
static const int numbers[] = { 12, 19, 23, 0 };
/* Where the page tables begin, those of PAE or the others: whoever writes the dump knows. */
u_long IdlePDPT, IdlePTD;
static unsigned char *broken;
static unsigned char original;

long system_call(long number, long a, long b, long c, long d, long e, long f);

long system_read(int fd, void *to, u_long size) { return system_call(3, fd, (long)to, (long)size, 0, 0, 0); }
long system_write(int fd, const void *from, u_long size) { return system_call(4, fd, (long)from, (long)size, 0, 0, 0); }
int system_open(const char *path) { return (int)system_call(5, (long)path, 0, 0, 0, 0, 0); }
void system_mmap(void *at, u_long size) { system_call(192, (long)at, (long)size, 7, 0x32, -1, 0); }
void system_exit(int status) { for (;;) system_call(252, status, 0, 0, 0, 0, 0); }

void set_first(struct pcb *pcb, struct trapframe *frame, void (*callout)(void)) {
  pcb->eip = (long)fork_trampoline;
  pcb->esp = (long)frame - 4;
  pcb->esi = (long)callout;
  pcb->ebx = 0;
}

struct trapframe *top_frame(char *stack, u_long size) {
  return (struct trapframe *)(stack + size) - 1;
}

struct trapframe *user_frame(char *stack, u_long size, int trap, u_long address) {
  struct trapframe *frame = top_frame(stack, size);
  delivery.address = address;
  *frame = (struct trapframe){ .eax = 3, .ebp = (long)0xffbfe900, .esp = (long)0xffbfe8c8, .eip = 0x20401234, .cs = 0x33,
    .ss = 0x3b, .eflags = 0x246, .trapno = numbers[trap] };
  return frame;
}

int trap_kind(const struct trapframe *frame) { return frame->trapno == 19 ? TRAP_NMI : TRAP_FAULT; }
/* The fault address is in a register, not in the frame. */
u_long trap_address(const struct trapframe *frame) { return frame == 0 ? 0 : delivery.address; }

void enter(int entry, struct trapframe *frame) { enter_at(entries[entry], frame); }

void set_break(u_long address) {
  broken = (unsigned char *)address;
  system_call(125, (long)(address & ~4095ul), 8192, 7, 0, 0, 0);
  original = *broken;
  *broken = 0xcc;
}

static void on_signal(int signal, void *info, struct context *c) {
  sink = info;
  /* The processor pushes no stack pointer in the kernel: the frame ends where the stack was. */
  u_long stack = (u_long)c->esp + 8;
  struct trapframe *frame = (struct trapframe *)stack - 1;
  if (signal == 5) {
    c->eip -= 1;
    c->cr2 = 16;
    *broken = original;
  }
  delivery.address = (u_long)c->cr2;
  frame->fs = frame->es = frame->ds = 0x28;
  frame->edi = c->edi;
  frame->esi = c->esi;
  frame->ebp = c->ebp;
  frame->isp = 0;
  frame->ebx = c->ebx;
  frame->edx = c->edx;
  frame->ecx = c->ecx;
  frame->eax = c->eax;
  frame->trapno = numbers[delivery.trap];
  frame->err = c->err;
  frame->eip = c->eip;
  frame->cs = 0x20;
  frame->eflags = c->eflags | 2;
  c->esp = c->esp_at_signal = (long)frame;
  c->eip = (long)entries[delivery.entry];
  delivery = (struct delivery){ .nested = delivery.nested, .address = delivery.address };
}

void catch_signals(void) {
  u_long stack[3] = { (u_long)signal_stack, 0, 16384 };
  system_call(186, (long)stack, 0, 0, 0, 0, 0);
  struct action action = { on_signal, 0x4000000 | 0x8000000 | 0x40000000 | 4, restore_signal, { 0, 0 } };
  system_call(174, 11, (long)&action, 0, 8, 0, 0);
  system_call(174, 5, (long)&action, 0, 8, 0, 0);
}
