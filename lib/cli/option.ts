/**
 * What a row of the table of commands and options can say.
 *
 * @module
 */
import type { Completion, ValueKind } from "./values.ts";

/** An option that is on or off. */
export interface Flag {
  readonly short?: string;
  readonly help: string;
}

/** An option with a value. */
export interface Valued<T> {
  readonly short?: string;
  readonly value: ValueKind<T>;
  /** As it would be written on the command line. */
  readonly default?: string;
  /** For `--help`: what holds without the option, where that is no fixed value. */
  readonly defaultInWords?: string;
  /** May be given more than once; the value is a list. */
  readonly repeatable?: true;
  /** Must be given. */
  readonly required?: true;
  readonly help: string;
}

/** Any option. */
// deno-lint-ignore no-explicit-any
export type Option = Flag | Valued<any>;

/** Positional arguments. */
export interface Operands {
  /** As the usage line has it; in brackets if `least` is 0. */
  readonly placeholder: string;
  readonly least: number;
  readonly most: number;
  readonly completion: Completion;
}

/** A command: its options by their long names, in the order of `--help`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** None if undefined. */
  readonly operands?: Operands;
  readonly options: Readonly<Record<string, Option>>;
  readonly examples: readonly (readonly [command: string, meaning: string])[];
}

/** The values of a command's options after parsing. */
export type Values<O extends Readonly<Record<string, Option>>> = {
  readonly [K in keyof O]: O[K] extends Valued<infer T> ? O[K] extends { repeatable: true } ? readonly T[]
    : O[K] extends { default: string } | { required: true } ? T
    : T | undefined
    : boolean;
};
