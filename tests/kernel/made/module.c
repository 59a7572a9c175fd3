/* The module that crashes. */
static int crashes = 1;

static __attribute__((noinline)) int crash_inside(int *p) {
  crashes++;
  return *p + crashes;
}

__attribute__((noinline)) int crashme_event(int *p, int (*callback)(int *)) {
  if (p == 0) return callback(p) + 1;
  return crash_inside(p) + 1;
}
