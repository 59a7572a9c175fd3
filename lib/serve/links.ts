/**
 * The links to a host's newest complete dump. Made by the main thread, since a worker that is held to a directory
 * may not make symbolic links at all.
 *
 * @module
 */
import { join } from "@std/path";
import type { LinkRequest } from "./dump_files.ts";
import { checkPlace } from "./dump_directory.ts";
import { realFileSystem } from "./file_system.ts";
import { lastLinks } from "./names.ts";

/**
 * Points `vmcore.<host>.last` and `info.<host>.last` to a dump, each replaced atomically. A file of such a name that
 * is no link is left alone (P5).
 *
 * @throws the system's error, or `TypeError` for a name that is taken
 */
export function linkNewest({ directory, host, core, info }: LinkRequest): void {
  checkPlace(realFileSystem, directory);
  const links = lastLinks(host);
  replaceLink(directory, links.core, core);
  replaceLink(directory, links.info, info);
}

function replaceLink(directory: string, name: string, target: string): void {
  const path = join(directory, name);
  const kind = realFileSystem.entry(path)?.kind ?? "link";
  if (kind !== "link") throw new TypeError(`${name} exists and is not a link`);
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}`;
  Deno.symlinkSync(target, temporary, { type: "file" });
  try {
    Deno.renameSync(temporary, path);
  } catch (error) {
    Deno.removeSync(temporary);
    throw error;
  }
}
