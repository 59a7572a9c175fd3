/** Dumps in files, as servers and savecore leave them: for tests of everything that reads files. */

import { join } from "@std/path";
import {
  decodeKernelDumpHeader,
  encodeKernelDumpHeader,
  type KernelDumpHeader,
  type KernelDumpHeaderFields,
} from "../../lib/kerneldump/files/header.ts";
import type { Entry } from "../../lib/inspect/directory/entry.ts";
import { findDumps } from "../../lib/inspect/directory/find_dumps.ts";
import { listDumps, type Selection } from "../../lib/inspect/directory/list_dumps.ts";
import { examine } from "../../lib/inspect/examine.ts";
import type { Findings } from "../../lib/inspect/findings.ts";
import { formatInfo } from "../../lib/kerneldump/files/info.ts";
import { JOURNAL_HEADER } from "../kerneldump/journal_header.ts";
import { buildMessageBuffer, buildMinidump } from "../kerneldump/synthetic.ts";

/** The last words of a kernel. */
export const MESSAGES = `---<<BOOT>>---
Copyright (c) 1992-2023 The FreeBSD Project.
FreeBSD 14.0-RELEASE GENERIC amd64
${
  Array.from({ length: 12 }, (_, i) => `<6>em0: link state changed to ${i % 2 === 0 ? "UP" : "DOWN"}\n`).join(
    "",
  )
}` +
  `<118>Starting devd.
Sleeping thread (tid 100117, pid 0) owns a non-sleepable lock
panic: sleeping thread
cpuid = 3
time = 1684328870
KDB: stack backtrace:
#0 0xffffffff80b9002d at kdb_backtrace+0x5d
#1 0xffffffff80b43132 at vpanic+0x132
#2 0xffffffff80b42ff3 at panic+0x43
Uptime: 4d20h3m9s
`;

/** A minidump with messages and a few pages, one of them text. */
export function minidumpWithMessages(text = MESSAGES): Uint8Array<ArrayBuffer> {
  return buildMinidump({
    messageBuffer: buildMessageBuffer({ text, unread: 400 }),
    pages: {
      0x1000: new Uint8Array(4096).fill(1),
      0x100000: new TextEncoder().encode("a page of text, and then zeros"),
      0x101000: new Uint8Array(4096).map((_, i) => i),
    },
  });
}

/** The header of a dump, with the fields that follow from it. */
export function headerOf(
  dump: Uint8Array,
  fields: Partial<KernelDumpHeaderFields> = {},
): { bytes: Uint8Array<ArrayBuffer>; header: KernelDumpHeader } {
  const bytes = encodeKernelDumpHeader({
    ...JOURNAL_HEADER,
    hostname: "w1.example",
    panicString: "sleeping thread",
    blockSize: 4096,
    dumpLength: dump.byteLength,
    dumpExtent: dump.byteLength,
    ...fields,
  });
  return { bytes, header: decodeKernelDumpHeader(bytes) };
}

/** Files by name in a fresh directory, which is removed afterwards. */
export async function withFiles(
  files: Readonly<Record<string, Uint8Array | string>>,
  use: (directory: string, path: (name: string) => string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "netdump-inspect-" });
  try {
    for (const [name, contents] of Object.entries(files)) {
      const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
      await Deno.writeFile(join(directory, name), bytes);
    }
    await use(directory, (name) => join(directory, name));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** What our server leaves of a dump: the dump, its header and its info file. */
export function receivedDump(
  id: string,
  dump: Uint8Array,
  options: {
    readonly header?: Partial<KernelDumpHeaderFields>;
    readonly extra?: readonly (readonly [string, string])[];
    readonly ending?: string | null;
    readonly name?: string;
  } = {},
): Record<string, Uint8Array | string> {
  const { bytes, header } = headerOf(dump, options.header);
  return {
    [options.name ?? `vmcore.${id}`]: dump,
    [`kdh.${id}`]: bytes,
    [`info.${id}`]: formatInfo({
      client: { host: id.replace(/\.\d+$/, ""), address: "192.0.2.7" },
      header,
      extra: options.extra ?? [["Received", `${dump.byteLength} bytes`]],
      ending: options.ending === undefined ? "Dump complete" : options.ending,
    }),
  };
}

/** The dumps of a directory that are asked for, read at a glance. */
export async function listDirectory(directory: string, selection: Selection = {}): Promise<Entry[]> {
  return await Array.fromAsync(listDumps(findDumps(directory), { thoroughness: "glance", selection }));
}

/** What is found at a look at one of these files. */
export async function look(
  name: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<Findings> {
  let findings: Findings | undefined;
  await withFiles(files, async (_, path) => {
    const examination = await examine(path(name), { thoroughness: "look", privateKey: null });
    examination.close();
    findings = examination.findings;
  });
  return findings!;
}

/** The codes of its problems. */
export const codes = ({ problems }: Findings) => problems.map(({ code }) => code);
