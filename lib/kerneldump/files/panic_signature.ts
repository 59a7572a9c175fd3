/**
 * The signature of a panic: equal for what people would call the same bug. Pure, and of texts alone, so that whoever
 * groups dumps groups them alike.
 *
 * @module
 */

/** Behind a word and an equals sign or in parentheses, what a number stands for: a thread, a process, a CPU, a time. */
const IDENTIFIER =
  /\b(tid|td|pid|ppid|lwp|cpu|cpuid|apic id|uid|ino|inode|inum|block|blkno|bno|lbn|offset|txg|guid|gen|seq|refcnt|refcount|time|ticks)( ?[=:#]? ?)-?\d{1,20}\b/gi;
/** One of several locks, queues or threads that are alike: `sched lock 3`, `rx(2)`, `swi1: netisr 2`, `irq17`. */
const ONE_OF_MANY = /\b((?:sched lock|netisr|rx|tx|rxq|txq|queue|irq|swi|worker)[ (:]?)\d{1,5}\b/gi;
/** A word of memory that somebody wrote to: `val=deadc0de`. */
const WORD = /\b(val=)[0-9a-f]{1,16}\b/gi;
/** Addresses of IPv4 and of Ethernet. */
const NETWORK_ADDRESS = /\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/gi;
/** Hexadecimal numbers of any length; offsets behind a plus sign tell one bug from another. */
const HEX = /(?<!\+)\b0x[0-9a-f]{1,32}\b/gi;
/** Addresses without their `0x`, with a letter and a digit in them. */
const BARE_HEX = /\b(?=[0-9a-f]{0,15}[a-f])(?=[0-9a-f]{0,15}\d)[0-9a-f]{8,16}\b/gi;
/** Numbers that no source line and no error code reaches. */
const LONG_NUMBER = /\b\d{6,20}\b/g;
/** A device's unit: `ada0`, `em1`, `nvme2ns1`, `/dev/gpt/...` is a name and stays. */
const UNIT =
  /\b(ada|da|cd|nda|nvd|nvme|md|vtbd|mmcsd|pass|ses|xbd|em|igb|ix|ixl|ice|re|bge|bce|bnxt|vtnet|vmx|mlx\d?en|mce|cxl|cxgbe|lagg|vlan|bridge|tap|tun|epair|wlan|iwn|iwm|ath|usbus|uhub|ugen|ahcich|mps|mpr|mfi|mrsas|ciss|aac|isp|pcib|ufshci|igc|axgbe|ena|gve|hn|genet|dwc|cpsw|iavf|ixv|igbvf|alc|ale|msk|nfe|rl|sk|fxp|dc|axe|ue|ure|cdce|aq|oce|qlnx|sfxge|mlx\d_core|xn|wg|ovpn|gif|gre|enc|carp|pfsync|ng|vether|umass|ukbd|ums|xhci|ehci|ohci|uhci|ahci|ahciem|ata|acd|fd|sa|ch|arcmsr|twa|tws|amr|hptiop|siis|mvs|smartpqi|mpi3mr|storvsc|blkvsc|vmbus|pvscsi|sdhci|sdhci_pci|mmc|pci|acpi|hdac|pcm|vgapci|drm|iichid|gpioc)(\d{1,4})(?=\b|[a-z])/gi;

/** Whoever speaks first says who it is: a driver and its unit. */
const SPEAKER = /^([a-z][a-z_]{1,15})\d{1,3}(?=: )/;

/** Functions that every backtrace goes through, whatever the bug: panic and trap handling. */
const HANDLING =
  /^(?:kdb_\w*|db_\w*|vpanic|panic|_panic|kassert_panic|spl_panic|v?cmn_err|zfs_panic_recover|assfail\d?|doadump|dumpsys\w*|kern_reboot|trap\w*|fatal_trap|trap_fatal|trap_pfault|calltrap|alltraps\w*|handle_el1h\w*|do_el1h_sync|data_abort|align_abort|abort_\w*|dblfault_handler|Xdblfault|nmi_\w*|PTDpde|do_trap_supervisor|page_fault_handler|cpu_exception_handler\w*|powerpc_interrupt|__curthread|get_curthread|generictrap|s_trap\w*|assert_\w*|exception_\w*|__stack_chk_fail|breakpoint|textdump_\w*|sysctl_debug_\w*)$/;

/** Frames that tell one bug from another; more only tell one way to it from another. */
const FRAMES = 3;

/** Puts a mask in place of what differs between two panics of one bug. */
export function maskPanic(panic: string): string {
  return panic.trim().replace(/\s+/g, " ").slice(0, LONGEST)
    .replace(IDENTIFIER, "$1$2*")
    .replace(ONE_OF_MANY, "$1*")
    .replace(WORD, "$1*")
    .replace(NETWORK_ADDRESS, "*")
    .replace(HEX, "0x*")
    .replace(BARE_HEX, "0x*")
    .replace(SPEAKER, "$1*")
    .replace(UNIT, "$1*")
    .replace(LONG_NUMBER, "*");
}

/** No panic is longer; more is a file that lies. */
const LONGEST = 1024;

/**
 * The signature of a panic.
 *
 * @param frames lines of a backtrace, as the kernel's (`#1 0xffffffff80b43132 at vpanic+0x132`) or a debugger's
 * (`#3 0xffffffff80b43132 in vpanic (fmt=...)`), or bare names of functions; the innermost first; none if not known
 */
export function panicSignature(panic: string, frames: readonly string[] = []): string {
  const names = frames.filter((_, i) => !isInlined(frames[i + 1])).map(functionOf).filter((name) =>
    name !== undefined
  );
  // Trap handling may come twice: the interrupted function is what stands below the last of it.
  const top = names.slice(0, HANDLING_DEPTH).findLastIndex((name) => HANDLING.test(name)) + 1;
  const told = names.slice(top, top + FRAMES);
  return told.length === 0 ? maskPanic(panic) : `${maskPanic(panic)} in ${told.join(" < ")}`;
}

/** How far down handling is looked for: a trap in a handler's callee is not the bug's own frame. */
const HANDLING_DEPTH = 16;

/**
 * A debugger tells the address of an inlined function, and then, without one, the function that it is inlined in; the
 * kernel knows that one only.
 */
function isInlined(next: string | undefined): boolean {
  return next !== undefined && /^\s{0,8}#\d{1,4}\s{1,8}[A-Za-z_][\w.$]{0,200} \(/.test(next);
}

/** The function that a line of a backtrace names; registers, which some kernels print between frames, are none. */
function functionOf(line: string): string | undefined {
  const frame =
    /^\s{0,8}(?:#\d{1,4}\s{1,8})?(?:0x[0-9a-f]{1,16}:?\s{1,4}(?:at|in)\s{1,4})?([A-Za-z_][\w.$]{0,200})(?![\w.$]|\s?=)/
      .exec(line);
  return frame?.[1];
}

/** Six hex digits that stand for a signature in a table (FNV-1a). */
export function signatureTag(signature: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(signature)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 8).toString(16).padStart(6, "0");
}
