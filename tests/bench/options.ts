/**
 * The command line of `deno task bench`.
 *
 * @module
 */
import type { Command, Values } from "../../lib/cli/option.ts";
import { globalOptions } from "../../lib/cli/options.ts";
import { choice, count, duration, file, port, size, type ValueKind } from "../../lib/cli/values.ts";

/** What can be measured, in the order it is. */
export const SECTIONS = [
  "receive",
  "memory",
  "start-up",
  "send",
  "inspect",
  "sparse",
  "ship",
  "soak",
] as const;
/** One of {@linkcode SECTIONS}. */
export type Section = typeof SECTIONS[number];

/** Several values of a kind, with commas between them. */
function list<T>(kind: ValueKind<T>): ValueKind<readonly T[]> {
  return {
    placeholder: `${kind.placeholder},...`,
    completion: "none",
    parse: (value) => value.split(",").map(kind.parse),
  };
}

const benchOptions = {
  only: { value: list(choice(...SECTIONS)), defaultInWords: "all", help: "what to measure" },
  quick: { help: "a short look: one run, little data, 1 and 16 clients" },
  runs: { value: count(1, 99), defaultInWords: "3, quick 1", help: "runs of each; the median is told" },
  bytes: {
    value: size,
    defaultInWords: "256M, quick 64M",
    help: "data of a run, all clients together",
  },
  clients: {
    value: list(count(1, 240)),
    defaultInWords: "1,4,16,64, quick 1,16",
    help: "how many clients at once",
  },
  pace: {
    value: list(choice("kernel", "flat-out")),
    defaultInWords: "both",
    help: "clients that poll each 0.5 ms as a kernel does, or that wait for nothing but acks",
  },
  mtu: { value: list(count(576, 65535)), defaultInWords: "1500,9000", help: "MTUs of the clients" },
  workers: { value: list(count(1, 256)), defaultInWords: "1,2", help: "receivers of the server" },
  soak: { value: duration(), defaultInWords: "2m, quick 10s", help: "how long the soak lasts" },
  save: { value: file("FILE"), help: "keep the figures of receiving, for a later --against" },
  against: {
    value: file("FILE"),
    help: "compare with figures that --save kept, by their ratios to refserver",
  },
  program: { value: file("PROGRAM"), help: "compiled netdump to measure instead of the sources" },
  port: {
    value: port,
    default: "20023",
    help: "herald port, where the bench cannot have a network of its own; refserver knows 20023 only",
  },
  ...globalOptions,
} as const;

/** `deno task bench`. */
export const benchCommand = {
  name: "bench",
  summary: "measure serve, send and inspect, beside a minimal server in C",
  options: benchOptions,
  examples: [
    ["deno task bench --quick", "everything, in some minutes"],
    ["deno task bench --only receive --clients 1 --mtu 1500", "one client, all paces and workers"],
  ],
} as const satisfies Command;

/** What is to be measured, and how much of it. */
export interface Extent {
  readonly sections: readonly Section[];
  readonly runs: number;
  readonly bytes: number;
  readonly clients: readonly number[];
  readonly paces: readonly ("kernel" | "flat-out")[];
  readonly mtus: readonly number[];
  readonly workers: readonly number[];
  readonly soakMs: number;
}

/** Fills in what was not given. */
export function extentOf(options: Values<typeof benchOptions>): Extent {
  const { quick } = options;
  return {
    sections: options.only ?? SECTIONS,
    runs: options.runs ?? (quick ? 1 : 3),
    bytes: options.bytes ?? (quick ? 64 : 256) * 1024 ** 2,
    clients: options.clients ?? (quick ? [1, 16] : [1, 4, 16, 64]),
    paces: options.pace ?? ["kernel", "flat-out"],
    mtus: options.mtu ?? [1500, 9000],
    workers: options.workers ?? [1, 2],
    soakMs: options.soak ?? (quick ? 10_000 : 120_000),
  };
}
