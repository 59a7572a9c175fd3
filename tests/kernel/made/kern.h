/* What the parts of the kernel in miniature know of each other. */
typedef unsigned long u_long;
typedef __SIZE_TYPE__ size_t;
typedef long time_t;

/* An address whose fault is waited for, and one that leads nowhere. */
#define PAGEABLE 0x1000ul
#define UNMAPPED 0x3000ul
/* Where the module lies, from the kernel's beginning. */
#define MODULE_OFFSET 0x100000ul
#define MODULE_BYTES 0x4000ul

enum { TRAP_FAULT, TRAP_NMI, TRAP_DOUBLE_FAULT, TRAP_SYSCALL };
enum { ENTRY_TRAP, ENTRY_INTERRUPT, ENTRY_STOP, ENTRY_NMI, ENTRY_DOUBLE_FAULT, ENTRY_SYSCALL };

/* How the next signal is to look. */
struct delivery {
  int entry;
  /* Its stack; 0: the one of who was interrupted. */
  char *stack;
  int trap;
  int nested;
  /* The last fault's, where no frame has it. */
  u_long address;
};

struct trapframe;
extern char kernbase[], _end[], signal_stack[];
extern struct delivery delivery;
extern void *volatile sink;
extern int crash_kind;
/* The module's entry: it calls back, or crashes itself. */
extern int (*module_start)(int *, int (*)(int *));

#include "machine.h"

int cpu_switch(struct pcb *old, struct pcb *new);
void cpu_throw(struct pcb *new) __attribute__((noreturn));
void savectx(struct pcb *pcb);
void enter(int entry, struct trapframe *frame) __attribute__((noreturn));
void set_first(struct pcb *pcb, struct trapframe *frame, void (*callout)(void));
struct trapframe *top_frame(char *stack, u_long size);
struct trapframe *user_frame(char *stack, u_long size, int trap, u_long address);
int trap_kind(const struct trapframe *frame);
u_long trap_address(const struct trapframe *frame);
void catch_signals(void);
void set_break(u_long address);
long system_read(int fd, void *to, u_long size);
long system_write(int fd, const void *from, u_long size);
int system_open(const char *path);
void system_mmap(void *at, u_long size);
void system_exit(int status) __attribute__((noreturn));

void panic(const char *fmt) __attribute__((noreturn));
void dump_and_exit(void) __attribute__((noreturn));
void start_crash(void);
void trap(struct trapframe *frame);
void syscall_entered(struct trapframe *frame);
void intr_execute_handlers(struct trapframe *frame);
void ipi_stop(struct trapframe *frame) __attribute__((noreturn));
void dblfault_handler(struct trapframe *frame) __attribute__((noreturn));
int helper_two(int *p);
int victims(int n);
int module_entry(int *p);

/* A fault that means nothing of itself. */
static inline __attribute__((always_inline)) void touch(u_long address) {
  *(volatile char *)address;
}
