/**
 * What DDB's ps tells of a process beyond its name: parent, user, state, what it waits for, arguments (reference
 * kernel-symbols.md, section 15). It takes the kernel's types.
 *
 * @module
 */

import { Fields } from "./fields.ts";
import type { KernelMemory } from "./kernel_memory.ts";
import type { Process, Thread } from "./threads.ts";
import type { Types } from "./types.ts";
import { decodeUtf8 } from "../text/utf8.ts";

/** Details of a process; `null` where the types or the dump do not tell. Strings are unfiltered. */
export interface ProcessDetails {
  readonly parent: number | null;
  readonly uid: number | null;
  /** A letter and its additions, as DDB's ps has them: `R`, `DL`, `Ss+`. */
  readonly state: string | null;
  /** What its first waiting thread waits for; of a lock `*` and its name. */
  readonly waitMessage: string | null;
  readonly arguments: readonly string[] | null;
}

const MAX_MESSAGE_BYTES = 64;
const MAX_ARGUMENT_BYTES = 2 ** 16;

const ThreadState = { CAN_RUN: 2n, RUN_QUEUE: 3n, RUNNING: 4n } as const;
const Inhibitor = { SLEEPING: 2n, LOCK: 8n, INTERRUPT: 0x10n } as const;
const SLEEP_INTERRUPTIBLE = 8n;
const ProcessState = { NEW: 0n, ZOMBIE: 2n } as const;
const Flag = {
  CONTROLLING_TTY: 2n,
  VFORK_WAIT: 0x10n,
  SYSTEM: 0x200n,
  TRACED: 0x800n,
  EXITING: 0x2000n,
  STOPPED: 0xe0000n,
  JAILED: 0x1000000n,
} as const;

/** Reads details of processes. */
export class ProcessReader {
  readonly #memory: KernelMemory;
  readonly #structs: Promise<{ proc: Fields; thread: Fields; ucred: Fields; pargs: Fields }>;

  constructor(types: Types, memory: KernelMemory) {
    this.#memory = memory;
    const fields = (name: string) => Fields.of(types, name, memory);
    this.#structs = (async () => ({
      proc: await fields("proc"),
      thread: await fields("thread"),
      ucred: await fields("ucred"),
      pargs: await fields("pargs"),
    }))();
  }

  /** Reads the details of a process. */
  async read(process: Process): Promise<ProcessDetails> {
    const { proc, ucred } = await this.#structs;
    const { address } = process;
    const parent = await proc.number(address, "p_pptr");
    const credentials = await proc.number(address, "p_ucred");
    const uid = credentials === null || credentials === 0n
      ? null
      : await ucred.number(credentials, "cr_ruid");
    const parentPid = parent === null || parent === 0n ? null : await proc.number(parent, "p_pid");
    return {
      parent: parentPid === null ? null : Number(parentPid),
      uid: uid === null ? null : Number(uid),
      state: await this.#state(process),
      waitMessage: await this.#waitMessage(process),
      arguments: await this.#arguments(address),
    };
  }

  async #state(process: Process): Promise<string | null> {
    const { proc } = await this.#structs;
    const flags = await proc.number(process.address, "p_flag");
    const state = await proc.number(process.address, "p_state");
    if (flags === null || state === null) return null;
    const has = (flag: bigint) => (flags & flag) !== 0n;
    const letter = state === ProcessState.NEW
      ? "N"
      : state === ProcessState.ZOMBIE || process.zombie
      ? "Z"
      : has(Flag.STOPPED)
      ? "T"
      : await this.#letterOfThreads(process.threads);
    return [
      letter,
      has(Flag.TRACED) ? "X" : "",
      has(Flag.EXITING) && state !== ProcessState.ZOMBIE ? "E" : "",
      has(Flag.VFORK_WAIT) ? "V" : "",
      has(Flag.SYSTEM) ? "L" : "",
      has(Flag.CONTROLLING_TTY) ? "+" : "",
      has(Flag.JAILED) ? "J" : "",
    ].join("");
  }

  /** The first that applies to any thread: running, on a lock, asleep for good, asleep, waiting for an interrupt. */
  async #letterOfThreads(threads: readonly Thread[]): Promise<string> {
    const letters = new Set<string>();
    for (const thread of threads) letters.add(await this.#letterOf(thread));
    return ["R", "L", "D", "S", "W"].find((letter) => letters.has(letter)) ?? "?";
  }

  async #letterOf({ address }: Thread): Promise<string> {
    const { thread } = await this.#structs;
    const state = await thread.number(address, "td_state");
    if (state === ThreadState.CAN_RUN || state === ThreadState.RUN_QUEUE || state === ThreadState.RUNNING) {
      return "R";
    }
    const inhibitors = await thread.number(address, "td_inhibitors") ?? 0n;
    if ((inhibitors & Inhibitor.LOCK) !== 0n) return "L";
    if ((inhibitors & Inhibitor.SLEEPING) !== 0n) {
      const flags = await thread.number(address, "td_flags") ?? 0n;
      return (flags & SLEEP_INTERRUPTIBLE) !== 0n ? "S" : "D";
    }
    return (inhibitors & Inhibitor.INTERRUPT) !== 0n ? "W" : "?";
  }

  async #waitMessage({ threads }: Process): Promise<string | null> {
    const { thread } = await this.#structs;
    for (const { address } of threads) {
      const lock = await thread.string(address, "td_lockname", MAX_MESSAGE_BYTES);
      if (lock !== null && lock !== "") return `*${lock}`;
      const message = await thread.string(address, "td_wmesg", MAX_MESSAGE_BYTES);
      if (message !== null && message !== "") return message;
    }
    return null;
  }

  async #arguments(process: bigint): Promise<string[] | null> {
    const { proc, pargs } = await this.#structs;
    const at = await proc.number(process, "p_args");
    const offset = pargs.offset("ar_args");
    if (at === null || at === 0n || offset === null) return null;
    const length = await pargs.number(at, "ar_length");
    if (length === null || length > BigInt(MAX_ARGUMENT_BYTES)) return null;
    const bytes = await this.#memory.read(at + offset, Number(length));
    if (bytes === null) return null;
    return decodeUtf8(bytes).replace(/\0$/, "").split("\0");
  }
}
