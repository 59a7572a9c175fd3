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
} as const satisfies Readonly<Record<string, ProblemKind>>;

/** A stable code of {@linkcode PROBLEMS}. */
export type ProblemCode = keyof typeof PROBLEMS;

/** One thing that is wrong, or worth knowing, about a dump. */
export interface Problem {
  readonly code: ProblemCode;
  /** A sentence for people, with the figures; safe to print. */
  readonly message: string;
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
