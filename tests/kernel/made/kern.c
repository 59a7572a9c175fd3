/*
 * A kernel in miniature, for tests (reference kernel-symbols.md, section 18.3): it has the names that a reader of dumps
 * looks for, threads that sleep, were stopped or never ran, and a thread that crashes as it is told. It runs as a
 * process; signals are its traps. What it leaves behind goes to descriptor 1, who its threads are to descriptor 2.
 */
#include "kern.h"

struct thread {
  struct proc *td_proc;
  struct thread *td_plist;
  long td_pad[3];
  struct pcb *td_pcb;
  int td_tid;
  int td_oncpu;
  char td_name[20];
};

struct proc {
  struct proc *p_list, **p_prev;
  struct thread *p_threads;
  struct proc *p_hash;
  long p_pad[5];
  int p_pid;
  char p_comm[20];
};

struct linker_file {
  void *ops;
  int refs, userrefs, flags;
  struct linker_file *next, **prev;
  const char *filename, *pathname;
  int id;
  char *address;
  size_t size;
};

/* The linker's own struct goes on behind that. */
struct elf_file {
  struct linker_file lf;
  int preloaded;
  void *strtab;
  long strcnt;
  char *ctftab;
  long ctfcnt;
};

#define OFFSET(name, type, member) const int name = __builtin_offsetof(type, member)
OFFSET(proc_off_p_pid, struct proc, p_pid);
OFFSET(proc_off_p_comm, struct proc, p_comm);
OFFSET(proc_off_p_list, struct proc, p_list);
OFFSET(proc_off_p_hash, struct proc, p_hash);
OFFSET(proc_off_p_threads, struct proc, p_threads);
OFFSET(thread_off_td_tid, struct thread, td_tid);
OFFSET(thread_off_td_name, struct thread, td_name);
OFFSET(thread_off_td_oncpu, struct thread, td_oncpu);
OFFSET(thread_off_td_pcb, struct thread, td_pcb);
OFFSET(thread_off_td_plist, struct thread, td_plist);
OFFSET(kld_off_address, struct linker_file, address);
OFFSET(kld_off_filename, struct linker_file, filename);
OFFSET(kld_off_pathname, struct linker_file, pathname);
OFFSET(kld_off_next, struct linker_file, next);
const int pcb_size = sizeof(struct pcb);

const char version[256] = "FreeBSD 15.0-STABLE MADE\n    made@here:/usr/obj/MADE\n";
char osrelease[32] = "15.0-STABLE";
const int osreldate = 1500501;
const char kern_ident[] = "MADE";
const char machine[] = MACHINE;
int mp_ncpus = 4, hz = 1000;
unsigned int mp_maxid = 3;
long physmem = 4096;
time_t time_second = 1700000000, time_uptime = 4711;
const char *panicstr;
int dumptid;
struct pcb dumppcb;
static struct pcb pcbs_of_cpus[4];
struct pcb *stoppcbs = pcbs_of_cpus;
u_long stopped_cpus[4];
struct proc *allproc, *pidhashtbl[4];
u_long pidhash = 3;
struct linker_file *linker_files;
struct linker_file *linker_kernel_file;
struct pair { int first; const char *second; } test_pair = { 42, "forty-two" };

#define THREADS 20
#define STACK_BYTES 8192
static struct proc procs[THREADS];
static struct thread threads[THREADS];
static struct pcb pcbs[THREADS];
static void (*mains[THREADS])(void);
static char stacks[THREADS][STACK_BYTES] __attribute__((aligned(16)));
static char interrupt_stacks[3][STACK_BYTES] __attribute__((aligned(16)));
char signal_stack[16384] __attribute__((aligned(16)));
static struct elf_file klds[2];
/* Whoever writes the dump may put types here. */
char ctf_room[4096] __attribute__((aligned(16)));
static int made, current;
static u_long break_at;
int (*module_start)(int *, int (*)(int *));
int crash_kind;
struct delivery delivery;

/* Threads. */

static void copy(char *to, const char *from) {
  while ((*to++ = *from++)) ;
}

static int next_new(void) {
  do current++; while (mains[current] == 0);
  return current;
}

/* Another thread's turn: the next that has not run yet. Nobody comes back. */
__attribute__((noinline)) void mi_switch(void) {
  struct pcb *old = &pcbs[current];
  threads[current].td_oncpu = -1;
  cpu_switch(old, &pcbs[next_new()]);
  __asm__ volatile("");
}

__attribute__((noinline)) void sleepq_wait(volatile int *channel) {
  *channel += 1;
  mi_switch();
  *channel -= 1;
}

__attribute__((noinline)) int _sleep(const char *wmesg) {
  volatile int channel = wmesg[0];
  sleepq_wait(&channel);
  return channel;
}

__attribute__((noreturn, noinline)) void fork_exit(void (*callout)(void), void *arg, struct trapframe *frame) {
  callout();
  sink = arg;
  sink = frame;
  system_exit(3);
}

static void fork1(int pid, const char *comm, const char *name, int cpu, void (*callout)(void)) {
  int i = made++;
  struct proc *p = &procs[i];
  struct thread *td = &threads[i];
  p->p_pid = pid;
  copy(p->p_comm, comm);
  td->td_tid = 100000 + 10 * pid;
  td->td_proc = p;
  td->td_oncpu = cpu;
  td->td_pcb = &pcbs[i];
  copy(td->td_name, name);
  p->p_threads = td;
  p->p_list = allproc;
  allproc = p;
  p->p_hash = pidhashtbl[pid & pidhash];
  pidhashtbl[pid & pidhash] = p;
  mains[i] = callout;
  set_first(&pcbs[i], top_frame(stacks[i], STACK_BYTES), callout);
}

/* Dumping. */

__attribute__((noinline)) void doadump(void) {
  dumptid = threads[current].td_tid;
  savectx(&dumppcb);
  dump_and_exit();
}

__attribute__((noreturn, noinline)) void kern_reboot(int howto) {
  if (howto) doadump();
  for (;;) sink = 0;
}

__attribute__((noreturn, noinline)) void vpanic(const char *fmt, int spare) {
  panicstr = fmt;
  kern_reboot(spare + 256);
}

__attribute__((noreturn, noinline)) void panic(const char *fmt) {
  vpanic(fmt, 4);
}

/* Where traps, interrupts and system calls come to. */

__attribute__((noreturn, noinline)) void cpustop_handler(void) {
  int cpu = threads[current].td_oncpu;
  stopped_cpus[0] |= 1ul << cpu;
  savectx(&stoppcbs[cpu]);
  cpu_throw(&pcbs[next_new()]);
}

__attribute__((noinline)) int ipi_nmi_handler(void) {
  if (threads[current].td_oncpu < 0) return 1;
  cpustop_handler();
}

__attribute__((noreturn, noinline)) static void trap_fatal(struct trapframe *frame, u_long eva) {
  sink = frame;
  panic(eva == 0 ? "page fault at NULL" : "page fault");
}

__attribute__((noinline)) static int trap_pfault(struct trapframe *frame, u_long eva) {
  if (eva == PAGEABLE) return _sleep("pgflt") + 1;
  trap_fatal(frame, eva);
}

__attribute__((noinline)) void trap(struct trapframe *frame) {
  int kind = trap_kind(frame);
  if (kind == TRAP_NMI && crash_kind == 9 && threads[current].td_oncpu == 0) panic("NMI indicates hardware failure");
  if (kind == TRAP_NMI) sink = (void *)(long)ipi_nmi_handler();
  else if (crash_kind == 8 && threads[current].td_oncpu == 0 && delivery.nested == 0) {
    delivery.nested = 1;
    sink = (void *)(long)(helper_two((int *)16) + trap_pfault(frame, 0));
  } else sink = (void *)(long)trap_pfault(frame, trap_address(frame));
}

__attribute__((noinline)) void intr_execute_handlers(struct trapframe *frame) {
  sink = frame;
  if (crash_kind == 7 && threads[current].td_oncpu == 0) panic("in an interrupt");
  _sleep("intr");
  sink = frame;
}

__attribute__((noreturn, noinline)) void ipi_stop(struct trapframe *frame) {
  sink = frame;
  cpustop_handler();
}

__attribute__((noreturn, noinline)) void dblfault_handler(struct trapframe *frame) {
  sink = frame;
  panic("double fault");
}

__attribute__((noinline)) static int sys_read(int fd) {
  return _sleep("ttyin") + fd;
}

__attribute__((noinline)) void syscall_entered(struct trapframe *frame) {
  sink = frame;
  if (threads[current].td_oncpu == 0) start_crash();
  sink = (void *)(long)sys_read(3);
}

/* What threads do. */

static void swapper(void) {
  for (;;) _sleep("swapin");
}

__attribute__((noinline)) static int recurse(int depth, volatile int *sum) {
  if (depth == 0) return _sleep("deep");
  int below = recurse(depth - 1, sum);
  *sum += below;
  return below + depth;
}

static void recursing(void) {
  volatile int sum = 0;
  sum += recurse(40, &sum);
}

static void reader(void) {
  enter(ENTRY_SYSCALL, user_frame(stacks[current], STACK_BYTES, TRAP_SYSCALL, 0));
}

static void user_fault(void) {
  enter(ENTRY_TRAP, user_frame(stacks[current], STACK_BYTES, TRAP_FAULT, PAGEABLE));
}

__attribute__((noinline)) static int copyin(const int *user) {
  return *user + 1;
}

static void kernel_fault(void) {
  sink = (void *)(long)copyin((const int *)PAGEABLE);
}

__attribute__((noinline)) static void spin(void) {
  for (;;) touch(0);
}

static void stopped_by_ipi(void) {
  delivery = (struct delivery){ .entry = ENTRY_STOP };
  spin();
}

static void stopped_by_nmi(void) {
  delivery = (struct delivery){ .entry = ENTRY_NMI, .stack = interrupt_stacks[0] + STACK_BYTES, .trap = TRAP_NMI };
  spin();
}

static void user_nmi(void) {
  enter(ENTRY_NMI, user_frame(interrupt_stacks[1], STACK_BYTES, TRAP_NMI, 0));
}

static void interrupted(void) {
  delivery = (struct delivery){ .entry = ENTRY_INTERRUPT };
  spin();
}

static void running(void) {
  cpu_throw(&pcbs[next_new()]);
}

static void crashing(void) {
  enter(ENTRY_SYSCALL, user_frame(stacks[current], STACK_BYTES, TRAP_SYSCALL, 0));
}

/* Crashes. */

__attribute__((noinline)) static int helper(int *p) {
  return *p * 3;
}

static inline __attribute__((always_inline)) int inlined_check(int *p) {
  int first = helper(p);
  return first + helper_two(p);
}

__attribute__((noinline)) static int sysctl_handle_crash(int *p) {
  int found = inlined_check(p);
  return found + 1;
}

__attribute__((noinline)) static int overflow(volatile int *p) {
  volatile int locals[8];
  touch(0);
  locals[p[0] & 7] = 3;
  return locals[1];
}

__attribute__((noinline)) static int fault_deep(int depth, int *p) {
  volatile int below;
  if (depth == 0) return *p;
  below = fault_deep(depth - 1, p);
  return below * depth + 1;
}

__attribute__((noinline)) void start_crash(void) {
  int (*nothing)(int) = (int (*)(int))(u_long)(crash_kind == 10 ? UNMAPPED : 0);
  __asm__ volatile("" : "+r"(nothing));
  int value = 7;
  if (break_at != 0) set_break(break_at);
  switch (crash_kind) {
  case 0: panic("as told");
  case 1: value += sysctl_handle_crash((int *)8); break;
  case 2: value += module_entry((int *)24); break;
  case 3:
  case 10: value += nothing(3); break;
  case 4: value += victims(value); break;
  case 5: delivery = (struct delivery){ .entry = ENTRY_DOUBLE_FAULT, .stack = interrupt_stacks[2] + STACK_BYTES, .trap = TRAP_DOUBLE_FAULT };
    value += overflow(&value);
    break;
  case 6: value += fault_deep(50, (int *)20); break;
  case 7: delivery = (struct delivery){ .entry = ENTRY_INTERRUPT };
    value += overflow(&value);
    break;
  case 8: value += sysctl_handle_crash((int *)12); break;
  case 9: delivery = (struct delivery){ .entry = ENTRY_NMI, .stack = interrupt_stacks[2] + STACK_BYTES, .trap = TRAP_NMI };
    value += overflow(&value);
    break;
  case 11: value += module_entry((int *)0); break;
  }
  sink = (void *)(long)value;
  panic("nothing crashed");
}

/* The beginning and the end. */

static u_long number(const char *text, unsigned int base) {
  u_long value = 0;
  for (; *text != 0; text++) value = value * base + (u_long)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
  return value;
}

static void load_module(const char *path, u_long size) {
  void *at = (char *)kernbase + MODULE_OFFSET;
  system_mmap(at, MODULE_BYTES);
  int fd = system_open(path);
  for (u_long done = 0; done < size;) {
    long n = system_read(fd, (char *)at + done, MODULE_BYTES - done);
    if (n <= 0) break;
    done += (u_long)n;
  }
  klds[0].lf.next = &klds[1].lf;
  klds[1].lf = (struct linker_file){ .filename = "crashme.ko", .pathname = "/boot/kernel/crashme.ko", .id = 2, .address = at, .size = size };
}

/* Arguments: what crash; the module's file, its size and where it is entered; an address to stop at. */
void boot(long *stack) {
  char **arguments = (char **)(stack + 1);
  crash_kind = (int)number(arguments[1], 10);
  klds[0].ctftab = ctf_room;
  klds[0].lf = (struct linker_file){ .filename = "kernel", .pathname = "/boot/kernel/kernel", .id = 1, .address = kernbase, .size = (size_t)(_end - kernbase) };
  linker_files = linker_kernel_file = &klds[0].lf;
  load_module(arguments[2], number(arguments[3], 16));
  module_start = (int (*)(int *, int (*)(int *)))number(arguments[4], 16);
  break_at = number(arguments[5], 16);
  catch_signals();
  fork1(0, "kernel", "swapper", -1, swapper);
  fork1(1, "init", "", -1, reader);
  fork1(2, "new", "", -1, 0);
  fork1(3, "deep", "recursing", -1, recursing);
  fork1(4, "user", "faulting", -1, user_fault);
  fork1(5, "copyin", "", -1, kernel_fault);
  fork1(6, "idle", "idle: cpu1", 1, stopped_by_ipi);
  fork1(7, "idle", "idle: cpu2", 2, stopped_by_nmi);
  fork1(8, "busy", "", 3, user_nmi);
  fork1(9, "lost", "", 5, running);
  fork1(10, "intr", "swi4: clock", -1, interrupted);
  fork1(11, "sysctl", "e\033[1mvil\n", 0, crashing);
  current = 0;
  cpu_throw(&pcbs[0]);
}

static void tell(const char *text, u_long length) {
  while (length > 0) {
    long n = system_write(2, text, length);
    if (n <= 0) break;
    text += n;
    length -= (u_long)n;
  }
}

static void tell_number(u_long value) {
  char digits[2 * sizeof(u_long) + 1];
  for (int i = 2 * sizeof(u_long) - 1; i >= 0; i--, value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  digits[2 * sizeof(u_long)] = ' ';
  tell(digits, sizeof(digits));
}

/* Where each thread's registers are: what a reader of the dump has to find out. */
__attribute__((noreturn)) void dump_and_exit(void) {
  for (int i = 0; i < made; i++) {
    struct thread *td = &threads[i];
    struct pcb *pcb = &pcbs[i];
    if (i == current) pcb = &dumppcb;
    else if (td->td_oncpu >= 0) pcb = td->td_oncpu < 4 ? &stoppcbs[td->td_oncpu] : 0;
    tell_number((u_long)td->td_tid);
    tell_number((u_long)pcb);
    tell("\n", 1);
  }
  for (char *at = kernbase; at < _end;) {
    long n = system_write(1, at, (u_long)(_end - at));
    if (n <= 0) break;
    at += n;
  }
  for (u_long done = 0; done < MODULE_BYTES;) {
    long n = system_write(1, (char *)kernbase + MODULE_OFFSET + done, MODULE_BYTES - done);
    if (n <= 0) break;
    done += (u_long)n;
  }
  system_exit(0);
}
