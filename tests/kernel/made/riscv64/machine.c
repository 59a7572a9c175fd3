/* riscv64: signals become exceptions. */
#include "kern.h"

/* What Linux tells a signal's handler, as far as it is needed. */
struct context {
  char before[176];
  long pc, ra, sp, gp, tp, t0[3], s0[2], a[8], s2[10], t3[4];
};
struct information {
  long number, code, address;
};
struct action {
  void (*handler)(int, struct information *, struct context *);
  u_long flags;
  u_long mask;
};
extern char cpu_exception_handler_supervisor[], cpu_exception_handler_user[];

/* By how it is entered: a load page fault, interrupts, an access fault for the double one, a system call. */
#define INTERRUPT 0x8000000000000000ul
static const u_long causes[] = { 13, INTERRUPT | 5, INTERRUPT | 1, INTERRUPT | 9, 5, 8 };
static unsigned short *broken, original;

long system_call(long a, long b, long c, long d, long e, long f, long number);

long system_read(int fd, void *to, u_long size) { return system_call(fd, (long)to, (long)size, 0, 0, 0, 63); }
long system_write(int fd, const void *from, u_long size) { return system_call(fd, (long)from, (long)size, 0, 0, 0, 64); }
int system_open(const char *path) { return (int)system_call(-100, (long)path, 0, 0, 0, 0, 56); }
void system_mmap(void *at, u_long size) { system_call((long)at, (long)size, 7, 0x32, -1, 0, 222); }
void system_exit(int status) { for (;;) system_call(status, 0, 0, 0, 0, 0, 94); }

void set_first(struct pcb *pcb, struct trapframe *frame, void (*callout)(void)) {
  pcb->ra = (long)fork_trampoline;
  pcb->sp = (long)frame;
  pcb->s[1] = (long)callout;
}

struct trapframe *top_frame(char *stack, u_long size) {
  return (struct trapframe *)(stack + size) - 1;
}

struct trapframe *user_frame(char *stack, u_long size, int trap, u_long address) {
  static const int entered[] = { ENTRY_TRAP, ENTRY_NMI, ENTRY_DOUBLE_FAULT, ENTRY_SYSCALL };
  struct trapframe *frame = top_frame(stack, size);
  *frame = (struct trapframe){ .sp = 0x3fffffc8c8, .sepc = 0x40380310, .ra = 0x40380000,
    .scause = (long)causes[entered[trap]], .stval = (long)address };
  frame->s[0] = 0x3fffffc900;
  return frame;
}

int trap_kind(const struct trapframe *frame) { return (u_long)frame->scause == causes[ENTRY_NMI] ? TRAP_NMI : TRAP_FAULT; }
u_long trap_address(const struct trapframe *frame) { return (u_long)frame->stval; }

void enter(int entry, struct trapframe *frame) {
  sink = (void *)(long)entry;
  enter_at(cpu_exception_handler_user, frame);
}

void set_break(u_long address) {
  broken = (unsigned short *)address;
  system_call((long)(address & ~4095ul), 8192, 7, 0, 0, 0, 226);
  original = *broken;
  *broken = 0x9002;
  __asm__ volatile("fence.i");
}

static void on_signal(int signal, struct information *info, struct context *c) {
  u_long stack = delivery.stack != 0 ? (u_long)delivery.stack : (u_long)c->sp;
  struct trapframe *frame = (struct trapframe *)stack - 1;
  u_long cause = c->pc == info->address ? 12 : causes[delivery.entry];
  if (signal == 5) {
    info->address = 16;
    cause = 13;
    *broken = original;
    __asm__ volatile("fence.i");
  }
  *frame = (struct trapframe){ .ra = c->ra, .sp = c->sp, .gp = c->gp, .tp = c->tp, .sepc = c->pc, .sstatus = 0x100,
    .stval = info->address, .scause = (long)cause };
  for (int i = 0; i < 3; i++) frame->t[i] = c->t0[i];
  for (int i = 0; i < 4; i++) frame->t[3 + i] = c->t3[i];
  for (int i = 0; i < 2; i++) frame->s[i] = c->s0[i];
  for (int i = 0; i < 10; i++) frame->s[2 + i] = c->s2[i];
  for (int i = 0; i < 8; i++) frame->a[i] = c->a[i];
  c->sp = (long)frame;
  c->pc = (long)cpu_exception_handler_supervisor;
  delivery = (struct delivery){ .nested = delivery.nested };
}

/* All that happens comes by one way. */
__attribute__((noinline)) void do_trap(struct trapframe *frame) {
  u_long cause = (u_long)frame->scause;
  if (cause == causes[ENTRY_INTERRUPT]) intr_execute_handlers(frame);
  else if (cause == causes[ENTRY_STOP]) ipi_stop(frame);
  else if (cause == causes[ENTRY_DOUBLE_FAULT]) dblfault_handler(frame);
  else if (cause == causes[ENTRY_SYSCALL]) syscall_entered(frame);
  else trap(frame);
  sink = frame;
}

void catch_signals(void) {
  u_long stack[3] = { (u_long)signal_stack, 0, 16384 };
  system_call((long)stack, 0, 0, 0, 0, 0, 132);
  struct action action = { on_signal, 0x8000000 | 0x40000000 | 4, 0 };
  system_call(11, (long)&action, 0, 8, 0, 0, 134);
  system_call(5, (long)&action, 0, 8, 0, 0, 134);
  system_call(7, (long)&action, 0, 8, 0, 0, 134);
}
