/**
 * The links to a host's newest complete dump. Made by the main thread, since a worker that is held to a directory
 * may not make symbolic links at all.
 *
 * @module
 */
import { join } from "@std/path";
import type { LinkRequest } from "./dump_files.ts";
import { checkPlace } from "./dump_directory.ts";
import { linkingUnsupported, realFileSystem } from "../../os/file_system.ts";
import { lastLinks } from "../../kerneldump/files/names.ts";

/** Windows wants a privilege for symbolic links that hardly anybody has (ERROR_PRIVILEGE_NOT_HELD). */
const NO_PRIVILEGE = /os error 1314/;

/** The dump directory's file system has no symbolic links: a dump is as good without them. */
export class LinksUnsupportedError extends Error {
  override readonly name = "LinksUnsupportedError";
}

/**
 * Points `vmcore.<host>.last` and `info.<host>.last` to a dump, each replaced atomically, or takes them away. A file
 * of such a name that is no link is left alone (P5).
 *
 * @throws the system's error, `TypeError` for a name that is taken, {@linkcode LinksUnsupportedError}
 */
export function linkNewest({ directory, host, core, info, wanted }: LinkRequest): void {
  checkPlace(realFileSystem, directory);
  const links = lastLinks(host);
  for (const [name, target] of [[links.core, core], [links.info, info]] as const) {
    if (wanted) replaceLink(directory, name, target);
    else removeLink(directory, name, target);
  }
}

function replaceLink(directory: string, name: string, target: string): void {
  const path = join(directory, name);
  const kind = realFileSystem.entry(path)?.kind ?? "link";
  if (kind !== "link") throw new TypeError(`${name} exists and is not a link`);
  // Links are made one at a time; what is there was left by a killed server.
  const temporary = `${path}.new`;
  if (realFileSystem.entry(temporary)?.kind === "link") Deno.removeSync(temporary);
  try {
    Deno.symlinkSync(target, temporary, { type: "file" });
  } catch (error) {
    if (!linkingUnsupported(error) && !NO_PRIVILEGE.test((error as Error).message)) throw error;
    throw new LinksUnsupportedError(`The dump directory has no symbolic links, so there is no ${name}`);
  }
  try {
    Deno.renameSync(temporary, path);
  } catch (error) {
    Deno.removeSync(temporary);
    throw error;
  }
}

function removeLink(directory: string, name: string, target: string): void {
  const path = join(directory, name);
  if (realFileSystem.entry(path)?.kind === "link" && Deno.readLinkSync(path) === target) {
    Deno.removeSync(path);
  }
}
