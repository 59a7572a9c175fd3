/**
 * What can be wrong with a dump, as stable codes: users, scripts and the README rely on them, so a code is never
 * renamed or given another meaning.
 *
 * @module
 */

/** What one kind of problem means, and what it alone makes of a dump's completeness. */
interface ProblemKind {
  /** One line for the README and `--help`. */
  readonly meaning: string;
  /** `false`: the dump is not whole; `null`: it cannot be told; `true`: worth saying, but nothing is missing. */
  readonly complete: boolean | null;
}

/** Every problem code, in the order of the README. */
export const PROBLEMS = {
  "size-mismatch": {
    meaning: "The file is longer or shorter than the sum of the dump's own sections",
    complete: false,
  },
  "missing-tail": {
    meaning:
      "The file ends on a 4 KiB boundary before the dump does: zeros that savecore left out, or a cut copy",
    complete: null,
  },
  "header-damaged": {
    meaning: "The dump begins like one of its kind, but its header cannot be right",
    complete: false,
  },
  "version-newer": {
    meaning: "The dump is of a version or architecture newer than what this program knows",
    complete: null,
  },
  "header-version-newer": {
    meaning:
      "The kernel dump header is of a version newer than what this program knows: it tells architecture and length only",
    complete: true,
  },
  "header-parity": {
    meaning: "The kernel dump header's parity is wrong: its fields may be damaged",
    complete: null,
  },
  "header-cleared": {
    meaning:
      "The dump was saved and its header cleared by savecore; new swapping may have overwritten the data",
    complete: null,
  },
  "header-copies-differ": {
    meaning: "The headers before and after the dump on the device differ: it was not written to its end",
    complete: false,
  },
  "header-leading-missing": {
    meaning: "There is no kernel dump header before the dump on the device: it was overwritten in part",
    complete: false,
  },
  "header-trailing-missing": {
    meaning:
      "There is no kernel dump header behind the dump on the device: it was interrupted, or the image was cut",
    complete: false,
  },
  "header-block-size": {
    meaning: "The header's block size is not the sector size it was found with",
    complete: null,
  },
  "extent-outside-device": {
    meaning: "The dump that the header describes does not fit on the device or in the file",
    complete: false,
  },
  "message-buffer-size": {
    meaning: "The size of the message buffer is zero, beyond reason or beyond the end of the file",
    complete: false,
  },
  "message-buffer-cut": {
    meaning: "The messages are more than 16 MiB: the newest of them are told",
    complete: true,
  },
  "message-buffer-empty": { meaning: "The message buffer holds no text", complete: true },
  "message-buffer-no-control": {
    meaning:
      "The message buffer's control structure is absent or damaged, so the order of its text is not certain",
    complete: true,
  },
  "message-buffer-order-guessed": {
    meaning: "Where the message buffer's text begins is a guess from the text itself",
    complete: true,
  },
  "message-buffer-order-unknown": {
    meaning: "Where the message buffer's text begins cannot be told: it is shown as it lies in memory",
    complete: true,
  },
  "message-buffer-checksum": {
    meaning:
      "The message buffer's checksum does not match its text: it changed while it was dumped, or is damaged",
    complete: true,
  },
  "dump-avail-malformed": {
    meaning: "The table of physical memory ranges is not ended, not ascending, overlapping or cut",
    complete: false,
  },
  "bitmap-size": {
    meaning:
      "The page bitmap's size does not fit the physical memory ranges, or is beyond the end of the file",
    complete: false,
  },
  "bitmap-stray-bits": {
    meaning: "The page bitmap marks pages beyond the last physical memory range",
    complete: false,
  },
  "page-table-size": {
    meaning:
      "The size of the page tables is no multiple of an entry, beyond reason or beyond the end of the file",
    complete: false,
  },
  "direct-map-range": {
    meaning: "The direct map of physical memory ends before it begins",
    complete: false,
  },
  "elf-segments": {
    meaning: "Segments of the ELF core overlap, are out of order, or their file and memory sizes differ",
    complete: false,
  },
  "textdump-truncated": { meaning: "The textdump ends inside a member", complete: false },
  "textdump-damaged": {
    meaning: "A block of the textdump that should begin a member does not, or its checksum is wrong",
    complete: false,
  },
  "textdump-unknown-member": {
    meaning: "The textdump holds a member that the kernel does not write",
    complete: true,
  },
  "header-damaged-beside": {
    meaning: "The kernel dump header beside the dump, kdh.*, is none",
    complete: true,
  },
  "header-mismatch": {
    meaning: "A file beside the dump belongs to another dump: its architecture or length differs",
    complete: true,
  },
  "companion-unreadable": {
    meaning: "A file beside the dump cannot be read",
    complete: true,
  },
  "length-mismatch": {
    meaning: "The file is longer or shorter than its kernel dump header says",
    complete: false,
  },
  "extent-mismatch": {
    meaning: "The decompressed dump is not as long as the header's dump extent says",
    complete: true,
  },
  "received-incomplete": {
    meaning: "The server that received the dump says that it is incomplete",
    complete: false,
  },
  "received-holes": {
    meaning: "The server that received the dump lists ranges of it that never arrived",
    complete: false,
  },
  "received-no-verdict": {
    meaning:
      "The server that received the dump has not said how it ended: it is still arriving, or was cut off",
    complete: null,
  },
  "savecore-bad": {
    meaning: "savecore saved the dump by force: its headers differ or their parity is wrong",
    complete: false,
  },
  "savecore-unknown": {
    meaning: "savecore could not tell whether the dump is good",
    complete: null,
  },
  "savecore-no-verdict": {
    meaning: "savecore's info file does not reach its status: it was cut, or is still being written",
    complete: null,
  },
  encrypted: {
    meaning: "The dump is encrypted, and no private key was given",
    complete: true,
  },
  "encrypted-unread": {
    meaning: "Whether the encrypted dump is whole cannot be told without its key",
    complete: null,
  },
  "key-missing": {
    meaning: "The dump is encrypted, and there is no key.* beside it",
    complete: null,
  },
  "key-damaged": {
    meaning: "The dump is encrypted, and the key.* beside it is damaged",
    complete: null,
  },
  "private-key-wrong": {
    meaning: "The private key given is not the one that the dump was made for",
    complete: null,
  },
  "compressed-truncated": {
    meaning: "The compressed dump ends before its stream does",
    complete: false,
  },
  "compressed-damaged": {
    meaning: "The compressed dump cannot be decompressed to its end",
    complete: false,
  },
  "compressed-checksum": {
    meaning: "The checksum of the compressed dump is wrong",
    complete: false,
  },
  "compressed-unsupported": {
    meaning: "The compressed dump needs what no kernel uses: a dictionary or a very large window",
    complete: null,
  },
  "compressed-unread": {
    meaning: "Whether the compressed dump is whole takes reading all of it: --verify does",
    complete: null,
  },
  "trailing-garbage": {
    meaning:
      "Bytes that are neither padding nor another member or frame follow the end of the compressed dump",
    complete: false,
  },
  "trailing-data": {
    meaning: "More than padding follows the end of the compressed dump",
    complete: true,
  },
  "read-error": {
    meaning: "The file cannot be read to its end",
    complete: false,
  },
  "unreadable": {
    meaning: "The file is not there, or cannot be opened or read",
    complete: null,
  },
  "message-buffer-not-found": {
    meaning: "No message buffer was found in the part of the full dump that was searched",
    complete: true,
  },
  "kernel-unread": {
    meaning: "What was asked about the kernel cannot be told: it takes symbols and the memory of the kernel",
    complete: true,
  },
  "debug-file-differs": {
    meaning:
      "A debug file lies where that of a kernel or module should, and is another build's by build-id or checksum",
    complete: true,
  },
  "unrecognized": {
    meaning: "The file is nothing that belongs to a kernel dump",
    complete: null,
  },
} as const satisfies Readonly<Record<string, ProblemKind>>;

/** A stable code of {@linkcode PROBLEMS}. */
export type ProblemCode = keyof typeof PROBLEMS;

/** One thing that is wrong, or worth knowing, about a dump. */
export interface Problem {
  readonly code: ProblemCode;
  /** A sentence for people, with the figures; safe to print. */
  readonly message: string;
  /** Something is missing at the end, where the code leaves that open. */
  readonly isCut?: true;
}

/** Makes a problem. */
export function problem(code: ProblemCode, message: string): Problem {
  return { code, message };
}

/** Whether a dump with these problems is whole: `false` outweighs `null` (cannot be told), which outweighs `true`. */
export function completeness(problems: readonly Problem[]): boolean | null {
  const verdicts = problems.map(({ code }): boolean | null => PROBLEMS[code].complete);
  if (verdicts.includes(false)) return false;
  return verdicts.includes(null) ? null : true;
}
