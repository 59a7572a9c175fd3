/** A row of call frame information: how a function's caller looked when the function was at an instruction. */
export interface FrameRow {
  /** The first address of the function that the row belongs to, and the one behind its last. */
  readonly start: bigint;
  readonly end: bigint;
  /** How to compute the canonical frame address: the stack pointer's value at the call. */
  readonly cfa:
    | { readonly kind: "register"; readonly register: number; readonly offset: number }
    | { readonly kind: "expression"; readonly expression: Uint8Array };
  /** By DWARF's number of a register (section 10.2). What is not here keeps its value if callees save it. */
  readonly rules: ReadonlyMap<number, RegisterRule>;
  /** The register that stands for the return address. */
  readonly returnRegister: number;
  /** Whether the frame is a trap's: its return address is the interrupted instruction, not behind a call. */
  readonly isSignalFrame: boolean;
  readonly addressSize: 4 | 8;
  readonly littleEndian: boolean;
}

/** How to find a register's value in the caller. */
export type RegisterRule =
  | { readonly kind: "undefined" | "same" }
  | { readonly kind: "offset" | "value-offset"; readonly offset: number }
  | { readonly kind: "register"; readonly register: number }
  | { readonly kind: "expression" | "value-expression"; readonly expression: Uint8Array };
