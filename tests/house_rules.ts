/** What may import what: the table of lib/README.md, as `house_test.ts` holds it. */

/** A room, and what its files may import. */
export interface Rule {
  /** Path below `lib/`: a directory with all below it, or a file without `.ts`. */
  readonly room: string;
  /** Rooms and files that it may import besides its own. */
  readonly imports: readonly string[];
  /** What it may not import of these. */
  readonly except?: readonly string[];
  /** It may name Deno.* and node:fs: everybody else asks it. */
  readonly machine?: boolean;
  /** Where a thing belongs that is wanted here and forbidden. */
  readonly instead: string;
}

/** What only rooms that touch the machine may name. */
export const STATE_OF_THE_MACHINE = /\bDeno\.(?!errors\b|Conn\b)\w+|"node:fs(?:\/promises)?"/g;

/** All rooms. The most particular one that a path begins with counts. */
export const RULES: readonly Rule[] = [
  { room: "version", imports: [], instead: "It is a number." },
  { room: "text", imports: [], instead: "Words know nothing of what they tell: give them the values." },
  {
    room: "protocol",
    imports: [],
    instead:
      "The wire knows bytes only; what is decided about a message belongs to serve/session or send/sender.",
  },
  {
    room: "bytes",
    imports: [],
    instead: "What a dump means belongs to kerneldump, files to os/file_source.",
  },
  {
    room: "os",
    imports: ["text", "bytes", "protocol/message"],
    machine: true,
    instead: "Hand it in from above.",
  },
  {
    room: "udp",
    imports: ["os", "text", "protocol"],
    machine: true,
    instead: "A socket does not know what its datagrams mean: that is the session's or the sender's.",
  },
  {
    room: "kerneldump",
    imports: ["bytes", "text"],
    instead: "Files are opened in inspect/open or send/load_dump.",
  },
  {
    room: "kernel",
    imports: ["bytes", "kerneldump", "text"],
    instead: "It gets memory and symbol files as sources, and gives values.",
  },
  {
    room: "archive",
    imports: ["bytes", "os", "text", "kerneldump/files"],
    machine: true,
    instead: "It keeps files elsewhere; what they say comes from its callers.",
  },
  {
    room: "serve/session",
    imports: ["protocol", "kerneldump/files"],
    instead: "A session takes messages and times, and returns effects: who acts on them is serve/receiver.",
  },
  {
    room: "serve/store",
    imports: ["serve/session", "os", "kerneldump/files", "text"],
    instead: "The store keeps what it is told; who tells it is serve/receiver.",
  },
  {
    room: "serve/receiver",
    imports: [
      "serve/session",
      "serve/store",
      "serve/orders",
      "serve/events",
      "udp",
      "os",
      "protocol",
      "kerneldump/files",
      "text",
    ],
    machine: true,
    instead: "A receiver tells events and takes orders; it knows neither the supervisor nor the log.",
  },
  {
    room: "serve/observers",
    imports: ["serve/events", "text", "os", "kerneldump/files", "archive"],
    machine: true,
    instead: "An observer takes events and nothing else.",
  },
  {
    room: "serve",
    imports: ["protocol", "os", "udp", "text", "kerneldump/files"],
    machine: true,
    instead: "The server knows neither commands nor inspect: cli wires them.",
  },
  {
    room: "send/sender",
    imports: ["protocol", "kerneldump/minidump", "bytes"],
    instead: "A sender takes acks and times and returns messages: sockets and files are send's.",
  },
  {
    room: "send",
    imports: ["protocol", "os", "udp", "text", "bytes", "kerneldump"],
    machine: true,
    instead: "What inspect knows too belongs to kerneldump or bytes.",
  },
  {
    room: "inspect",
    imports: ["os", "text", "bytes", "kerneldump", "kernel", "archive"],
    machine: true,
    instead: "What send or serve know too belongs to kerneldump, os or text.",
  },
  {
    room: "cli",
    imports: [
      "version",
      "text",
      "os",
      "protocol",
      "udp",
      "bytes",
      "kerneldump",
      "kernel",
      "archive",
      "serve",
      "send",
      "inspect",
    ],
    machine: true,
    instead: "Only cli knows all of them.",
  },
];
