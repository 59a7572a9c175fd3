/* arm64: signals become exceptions. */
#include "kern.h"

/* What Linux tells a signal's handler, as far as it is needed. */
struct context {
  char before[176];
  long fault_address, regs[31], sp, pc, pstate;
};
struct information {
  long number, code, address;
};
struct action {
  void (*handler)(int, struct information *, struct context *);
  u_long flags;
  void (*restorer)(void);
  u_long mask;
};
extern char handle_el1h_sync[], handle_el1h_irq[], handle_el1h_fiq[], handle_el1h_serror[], handle_serror[],
  handle_el0_sync[], handle_el0_serror[];

static char *const entries[] = { handle_el1h_sync, handle_el1h_irq, handle_el1h_fiq, handle_el1h_serror, handle_serror };
static const u_long classes[] = { 0x25, 0x2f, 0x2f, 0x15 };
static unsigned int *broken, original;

long system_call(long a, long b, long c, long d, long e, long f, long number);

long system_read(int fd, void *to, u_long size) { return system_call(fd, (long)to, (long)size, 0, 0, 0, 63); }
long system_write(int fd, const void *from, u_long size) { return system_call(fd, (long)from, (long)size, 0, 0, 0, 64); }
int system_open(const char *path) { return (int)system_call(-100, (long)path, 0, 0, 0, 0, 56); }
void system_mmap(void *at, u_long size) { system_call((long)at, (long)size, 7, 0x32, -1, 0, 222); }
void system_exit(int status) { for (;;) system_call(status, 0, 0, 0, 0, 0, 94); }

void set_first(struct pcb *pcb, struct trapframe *frame, void (*callout)(void)) {
  pcb->lr = (long)fork_trampoline;
  pcb->sp = (long)frame;
  pcb->x19[0] = (long)callout;
}

struct trapframe *top_frame(char *stack, u_long size) {
  return (struct trapframe *)(stack + size) - 1;
}

struct trapframe *user_frame(char *stack, u_long size, int trap, u_long address) {
  struct trapframe *frame = top_frame(stack, size);
  *frame = (struct trapframe){ .sp = 0x7fffffffc8c8, .elr = 0x40380310, .lr = 0x40380000,
    .esr = (long)((trap == TRAP_FAULT ? 0x24 : classes[trap]) << 26), .far = (long)address };
  frame->x[29] = 0x7fffffffc900;
  return frame;
}

int trap_kind(const struct trapframe *frame) { return (u_long)frame->esr >> 26 == 0x2f ? TRAP_NMI : TRAP_FAULT; }
u_long trap_address(const struct trapframe *frame) { return (u_long)frame->far; }

void enter(int entry, struct trapframe *frame) {
  enter_at(entry == ENTRY_NMI ? handle_el0_serror : handle_el0_sync, frame);
}

void set_break(u_long address) {
  broken = (unsigned int *)address;
  system_call((long)(address & ~4095ul), 8192, 7, 0, 0, 0, 226);
  original = *broken;
  *broken = 0xd4200000;
}

static void on_signal(int signal, struct information *info, struct context *c) {
  /* An entry from the kernel leaves 128 bytes above its frame. */
  u_long stack = delivery.stack != 0 ? (u_long)delivery.stack : (u_long)c->sp - 128;
  struct trapframe *frame = (struct trapframe *)stack - 1;
  u_long class = c->pc == info->address ? 0x21 : classes[delivery.trap];
  if (signal == 5) {
    info->address = 16;
    class = 0x25;
    *broken = original;
  }
  *frame = (struct trapframe){ .sp = c->sp, .lr = c->regs[30], .elr = c->pc, .spsr = 0x60000005,
    .esr = (long)(class << 26), .far = info->address };
  for (int i = 0; i < 30; i++) frame->x[i] = c->regs[i];
  c->sp = (long)frame;
  c->pc = (long)entries[delivery.entry];
  delivery = (struct delivery){ .nested = delivery.nested };
}

/* System calls and faults of user code come by one way. */
__attribute__((noinline)) void el0_sync(struct trapframe *frame) {
  if ((u_long)frame->esr >> 26 == 0x15) syscall_entered(frame);
  else trap(frame);
  sink = frame;
}

void catch_signals(void) {
  u_long stack[3] = { (u_long)signal_stack, 0, 16384 };
  system_call((long)stack, 0, 0, 0, 0, 0, 132);
  struct action action = { on_signal, 0x8000000 | 0x40000000 | 4, 0, 0 };
  system_call(11, (long)&action, 0, 8, 0, 0, 134);
  system_call(5, (long)&action, 0, 8, 0, 0, 134);
  system_call(7, (long)&action, 0, 8, 0, 0, 134);
}
