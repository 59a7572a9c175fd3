/* amd64: signals become traps. */
#include "kern.h"

/* What Linux tells a signal's handler, as far as it is needed. */
struct context {
  u_long flags;
  void *link;
  u_long stack[3];
  long r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags, segments, err, trapno,
    oldmask, cr2;
};
struct action {
  void (*handler)(int, void *, struct context *);
  u_long flags;
  void (*restorer)(void);
  u_long mask;
};
void restore_signal(void);
extern char calltrap[], nmi_calltrap[], Xtimerint[], Xcpustop[], Xdblfault[], fast_syscall_common[];

static char *const entries[] = { calltrap, Xtimerint, Xcpustop, nmi_calltrap, Xdblfault, fast_syscall_common };
static const int numbers[] = { 12, 19, 23, 0 };
/* Where the page tables begin: whoever writes the dump knows. */
u_long KPML4phys;
static unsigned char *broken;
static unsigned char original;

long system_call(long number, long a, long b, long c, long d, long e, long f);

long system_read(int fd, void *to, u_long size) { return system_call(0, fd, (long)to, (long)size, 0, 0, 0); }
long system_write(int fd, const void *from, u_long size) { return system_call(1, fd, (long)from, (long)size, 0, 0, 0); }
int system_open(const char *path) { return (int)system_call(2, (long)path, 0, 0, 0, 0, 0); }
void system_mmap(void *at, u_long size) { system_call(9, (long)at, (long)size, 7, 0x32, -1, 0); }
void system_exit(int status) { for (;;) system_call(231, status, 0, 0, 0, 0, 0); }

void set_first(struct pcb *pcb, struct trapframe *frame, void (*callout)(void)) {
  pcb->rip = (long)fork_trampoline;
  pcb->rsp = (long)frame - 8;
  pcb->r12 = (long)callout;
  pcb->rbx = 0;
}

struct trapframe *top_frame(char *stack, u_long size) {
  return (struct trapframe *)(stack + size) - 1;
}

struct trapframe *user_frame(char *stack, u_long size, int trap, u_long address) {
  struct trapframe *frame = top_frame(stack, size);
  *frame = (struct trapframe){ .rax = 3, .rbp = 0x7fffffffc900, .rsp = 0x7fffffffc8c8, .rip = 0x80038312a, .cs = 0x43,
    .ss = 0x3b, .rflags = 0x246, .trapno = numbers[trap], .addr = (long)address };
  return frame;
}

int trap_kind(const struct trapframe *frame) { return frame->trapno == 19 ? TRAP_NMI : TRAP_FAULT; }
u_long trap_address(const struct trapframe *frame) { return (u_long)frame->addr; }

void enter(int entry, struct trapframe *frame) { enter_at(entries[entry], frame); }

void set_break(u_long address) {
  broken = (unsigned char *)address;
  system_call(10, (long)(address & ~4095ul), 8192, 7, 0, 0, 0);
  original = *broken;
  *broken = 0xcc;
}

static void on_signal(int signal, void *info, struct context *c) {
  sink = info;
  u_long stack = delivery.stack != 0 ? (u_long)delivery.stack : (u_long)c->rsp & ~15ul;
  struct trapframe *frame = (struct trapframe *)stack - 1;
  if (signal == 5) {
    c->rip -= 1;
    c->cr2 = 16;
    *broken = original;
  }
  *frame = (struct trapframe){ c->rdi, c->rsi, c->rdx, c->rcx, c->r8, c->r9, c->rax, c->rbx, c->rbp, c->r10, c->r11,
    c->r12, c->r13, c->r14, c->r15, .trapno = numbers[delivery.trap], .addr = c->cr2, .err = c->err, .rip = c->rip,
    .cs = 0x20, .rflags = c->eflags | 2, .rsp = c->rsp, .ss = 0x28 };
  c->rsp = (long)frame;
  c->rip = (long)entries[delivery.entry];
  delivery = (struct delivery){ .nested = delivery.nested };
}

void catch_signals(void) {
  u_long stack[3] = { (u_long)signal_stack, 0, 16384 };
  system_call(131, (long)stack, 0, 0, 0, 0, 0);
  struct action action = { on_signal, 0x4000000 | 0x8000000 | 0x40000000 | 4, restore_signal, 0 };
  system_call(13, 11, (long)&action, 0, 8, 0, 0);
  system_call(13, 5, (long)&action, 0, 8, 0, 0);
}
