/* Functions to be stopped in, at every instruction. */
#include "kern.h"

void *volatile sink;

/* The compiler calls them. */
void *memset(void *to, int byte, size_t size) {
  for (volatile char *at = to; size > 0; size--) *at++ = (char)byte;
  return to;
}

void *memcpy(void *to, const void *from, size_t size) {
  const char *source = from;
  for (volatile char *at = to; size > 0; size--) *at++ = *source++;
  return to;
}

int module_entry(int *p) {
  return module_start(p, helper_two) + 1;
}

/* The same name as in kern.c. */
__attribute__((noinline)) static int helper(int *p) {
  return *p * 5;
}

int helper_two(int *p) {
  return helper(p) + 1;
}

__attribute__((noinline)) int victim_leaf(int n) {
  return n * 17 + 3;
}

__attribute__((noinline)) int victim_many(int a, int b, int c, int d, int e, int f, int g) {
  volatile int local[6];
  local[a & 3] = b + c;
  int one = victim_leaf(d), two = victim_leaf(e), three = victim_leaf(one + two);
  return local[1] + one * two + three * f + g;
}

/* As a kernel made without frame pointers has them. */
__attribute__((noinline, optimize("omit-frame-pointer"))) int victim_frameless(int n) {
  return n * 19 + 5;
}

__attribute__((noinline)) int victim_plain(int n) {
  int one = victim_frameless(n);
  return one + victim_leaf(one);
}

static inline __attribute__((always_inline)) int twice(int n) {
  return victim_leaf(n) * 2;
}

__attribute__((noinline)) int victim_early(int n) {
  if (n == 0) return 1;
  return twice(n) + twice(n + 1);
}

/* As a crash would have it. */
__attribute__((noinline)) int victims(int n) {
  int sum = victim_early(n) + victim_early(0);
  sum += victim_many(sum, 2, 3, 4, 5, 6, 7);
  sum += victim_plain(sum);
  return sum + 1;
}
