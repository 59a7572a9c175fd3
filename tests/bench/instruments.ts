/**
 * The instruments in C of ../shared/tools, built for the bench: `kclient`, a client as a panicking kernel is one,
 * and `refserver`, the least that a server in C can do.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { SHARED } from "../helpers.ts";
import type { Place } from "./isolation.ts";

/** Paths of the two programs. */
export interface Instruments {
  readonly kclient: string;
  readonly refserver: string;
}

/** Builds them; returns why not where they cannot be. */
export async function buildInstruments(place: Place): Promise<Instruments | string> {
  if (SHARED === undefined) return "../shared/tools is not there";
  const build = async (name: string) => {
    const path = join(place.directory, name);
    const source = fromFileUrl(new URL(`tools/${name}.c`, SHARED));
    const { success, stderr } = await new Deno.Command("gcc", { args: ["-O2", "-o", path, source, "-lm"] })
      .output();
    if (!success) throw new Error(`Cannot build ${name}: ${new TextDecoder().decode(stderr)}`);
    return path;
  };
  try {
    return { kclient: await build("kclient"), refserver: await build("refserver") };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "gcc is not there";
    throw error;
  }
}
