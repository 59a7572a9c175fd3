import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { VERSION } from "../../lib/version.ts";
import { isInstalled } from "../programs.ts";
import { PACKAGING, ROOT, runs, skippable } from "./packaging.ts";

const read = (path: string) => Deno.readTextFileSync(join(PACKAGING, path));

Deno.test("the FreeBSD port and the Homebrew formula name the version that this is", () => {
  assertEquals(/^DISTVERSION=\t(.*)$/m.exec(read("freebsd/Makefile"))?.[1], VERSION);
  assertEquals(/^ {2}url ".*netdump-([\d.]+)\.tar\.gz"$/m.exec(read("homebrew/netdump.rb"))?.[1], VERSION);
});

Deno.test("the container is made by the newest Deno that tests run on", () => {
  const [, newest] = /^newest=(.*)$/m.exec(Deno.readTextFileSync(join(ROOT, ".ci/run"))) ?? [];
  assertEquals(/^FROM denoland\/deno:debian-(\S+) /m.exec(read("container/Containerfile"))?.[1], newest);
});

Deno.test("the container copies what is there", () => {
  for (const [, sources = ""] of read("container/Containerfile").matchAll(/^COPY (?!--from)(.*) \S+$/gm)) {
    for (const source of sources.split(" ")) Deno.statSync(join(ROOT, source));
  }
});

skippable(
  "the Homebrew formula is Ruby",
  isInstalled("ruby") ? undefined : "ruby is not installed",
  () => assertEquals(runs("ruby", "-c", join(PACKAGING, "homebrew/netdump.rb")), true),
);
