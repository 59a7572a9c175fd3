/**
 * A file that is being examined, and how its findings are put together.
 *
 * @module
 */

import { completeness, type Problem } from "../kerneldump/problem.ts";
import type { CoreText } from "../kerneldump/files/core_text.ts";
import type { KernelDumpKey } from "../kerneldump/files/key.ts";
import type { PanicExcerpt } from "../kerneldump/messages/message_text.ts";
import type { Companions } from "./open/companions.ts";
import type { Container } from "./open/container.ts";
import { type Contents, noContents } from "./contents.ts";
import {
  factsOfHeader,
  factsOfInfo,
  factsOfNewerHeader,
  type Findings,
  type HeaderFacts,
  type Kind,
} from "./findings.ts";
import type { OpenedLayers } from "./open/layers.ts";
import type { PrivateKey } from "./open/private_key.ts";
import type { OnProgress } from "./judge/read_through.ts";
import type { Source } from "../bytes/source.ts";
import type { KernelFindings, KernelOptions } from "./kernel_findings.ts";
import { summarize } from "./summary.ts";

/**
 * How much work to put into a file: a glance for one among many, a look that takes less than a second, the messages
 * wherever they are, or reading all of it.
 */
export type Thoroughness = "glance" | "look" | "messages" | "verify";

/** How to examine a file. */
export interface ExamineOptions {
  readonly thoroughness: Thoroughness;
  readonly privateKey: PrivateKey | null;
  /** The names of files beside it, where they are known: spares looking for others, and for links. */
  readonly beside?: readonly string[];
  readonly onProgress?: OnProgress;
  /** What is asked about the kernel; without it what the dump itself tells. */
  readonly kernel?: KernelOptions | undefined;
}

/** A file whose size is known. */
export interface SizedSource extends Source {
  readonly size: number;
}

/** A file that lies elsewhere than in a directory, open, and what lies beside it, by name. */
export interface Elsewhere {
  readonly file: SizedSource;
  readonly beside: ReadonlyMap<string, Uint8Array>;
}

/** The file at hand, and how to go about it. */
export interface Task {
  readonly path: string;
  readonly name: string;
  readonly file: SizedSource;
  readonly companions: Companions;
  readonly container: Container;
  readonly options: ExamineOptions;
}

/** The header in the file itself goes before the one beside it, which goes before the info file. */
export function chooseHeader({ name, companions, container }: Task): HeaderFacts | null {
  if (container.header !== null) return factsOfHeader(name, container.header);
  if (container.newerHeader !== null) return factsOfNewerHeader(name, container.newerHeader);
  if (companions.header !== null) return factsOfHeader(companions.header.name, companions.header.header);
  if (companions.newerHeader !== null) {
    return withInfo(
      factsOfNewerHeader(companions.newerHeader.name, companions.newerHeader.header),
      companions,
    );
  }
  return companions.info === null ? null : factsOfInfo(companions.info.name, companions.info.info);
}

/** What a header of a version that is not known does not tell, its writer's info file may. */
function withInfo(header: HeaderFacts, { info }: Companions): HeaderFacts {
  const told = info === null ? null : factsOfInfo(info.name, info.info);
  if (told === null) return header;
  const known = Object.entries(header).filter(([, value]) => value !== null);
  return { ...told, ...Object.fromEntries(known) };
}

/** What {@linkcode makeFindings} puts together. */
export interface Found {
  readonly kind: Kind;
  readonly header: HeaderFacts | null;
  readonly info?: Findings["info"];
  readonly key?: KernelDumpKey | null;
  readonly coreText?: CoreText;
  readonly opened?: OpenedLayers;
  readonly contents?: Contents;
  /** What the messages say around the panic. */
  readonly panic?: PanicExcerpt | null;
  readonly plain?: number | null;
  readonly kernel?: KernelFindings | null;
  readonly problems: readonly Problem[];
}

/** What a file of these kinds says, it says of itself: an info file with its number may be another dump's. */
const BESIDE_DUMPS: readonly Kind[] = ["core-txt", "bounds", "minfree"];
/** Nor does a key or a header alone. */
const SAY_NOTHING_OF_THE_DUMP: readonly Kind[] = [...BESIDE_DUMPS, "key", "kernel-dump-header"];

/** Puts together what was found out about a file. */
export function makeFindings(task: Task, found: Found): Findings {
  const contents = found.contents ?? noContents();
  const panic = found.panic ?? null;
  const info = BESIDE_DUMPS.includes(found.kind) ? null : found.info ?? task.companions.info?.info ?? null;
  const whole = completeness(found.problems);
  const complete = SAY_NOTHING_OF_THE_DUMP.includes(found.kind) && whole === true ? null : whole;
  return {
    file: task.path,
    size: task.file.size,
    layers: found.opened?.layers ?? [],
    kind: found.kind,
    onDevice: !task.container.plainFile,
    header: found.header,
    info,
    minidump: contents.minidump,
    newer: contents.newer,
    elf: contents.elf,
    textdump: contents.textdump,
    coreText: found.coreText ?? null,
    key: found.key ?? found.opened?.key ?? null,
    messages: contents.messages,
    panic,
    kernel: found.kernel ?? null,
    summary: summarize({
      header: found.header,
      info,
      coreText: found.coreText ?? null,
      textdump: contents.textdump,
      panic,
      messages: contents.messages,
      kernel: found.kernel ?? null,
    }),
    plainSize: found.plain ?? null,
    verified: task.options.thoroughness === "verify",
    complete,
    problems: found.problems,
  };
}
