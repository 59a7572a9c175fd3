/**
 * The few functions of glibc that move datagrams, and the layouts of what they take (reference native-datagrams.md, sections 2
 * and 3): Linux, 64 bits, little-endian.
 *
 * @module
 */

/** Where glibc lies on the systems that this is for; `--allow-ffi` and the receivers' permissions name the same. */
export const LIBC_PATHS = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
] as const;

/** Sizes in bytes, and places in them. */
export const Layout = {
  IOVEC: 16,
  MMSGHDR: 64,
  /** Of `struct mmsghdr`: where its `msghdr` has the name, its length, the vectors, their number; then the datagram's length. */
  NAME: 0,
  NAME_LENGTH: 8,
  VECTORS: 16,
  VECTOR_COUNT: 24,
  LENGTH: 56,
  SOCKADDR: 16,
  /** Of `struct sockaddr_in`: family in host order, port and address in network order. */
  FAMILY: 0,
  PORT: 2,
  ADDRESS: 4,
} as const;

/** Numbers that the system knows these by. */
export const Constant = {
  AF_INET: 2,
  SOCK_DGRAM: 2,
  SOL_SOCKET: 1,
  SO_TYPE: 3,
  SO_RCVBUF: 8,
  SOL_UDP: 17,
  UDP_SEGMENT: 103,
  MSG_DONTWAIT: 0x40,
} as const;

const SYMBOLS = {
  recvmmsg: { parameters: ["i32", "buffer", "u32", "i32", "usize"], result: "i32" },
  sendmmsg: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  memcpy: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
} as const;

/** The functions. They answer -1 where they fail. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/**
 * The first Deno whose workers can be ended when they have opened a library: 2.4 corrupts its memory then now and then ("corrupted size
 * vs. prev_size", in 7 of 10 runs of the test that crashes receivers; in none of 12 with 2.5), which takes the whole server down.
 */
const FIRST_DENO = [2, 5] as const;

/** Opens what moves datagrams; `undefined` where {@linkcode openLibrary} cannot. */
export function openLibc(): Libc | undefined {
  return openLibrary(SYMBOLS);
}

/** Opens functions of glibc; `undefined` where it is not, is not permitted, or the machine or Deno is another. */
export function openLibrary<const S extends Deno.ForeignLibraryInterface>(
  symbols: S,
): Deno.DynamicLibrary<S>["symbols"] | undefined {
  const { os, arch } = Deno.build;
  if (os !== "linux" || (arch !== "x86_64" && arch !== "aarch64")) return undefined;
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  if (major < FIRST_DENO[0] || (major === FIRST_DENO[0] && minor < FIRST_DENO[1])) return undefined;
  for (const path of LIBC_PATHS) {
    try {
      return Deno.dlopen(path, symbols).symbols;
    } catch {
      // Not there, or not permitted.
    }
  }
  return undefined;
}

/** The address of a buffer, which must be kept alive and where it is for as long as that is used. */
export function addressOf(libc: Libc, buffer: Uint8Array<ArrayBuffer>): bigint {
  return BigInt(libc.memcpy(buffer, buffer, 0n));
}
