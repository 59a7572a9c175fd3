/** Other people's programs, which tests use as oracles and peers where they are installed. */

import { join } from "@std/path";

const [DELIMITER, EXTENSION] = Deno.build.os === "windows" ? [";", ".exe"] : [":", ""];

/** Whether a program is in one of the directories that the system searches. It is not run: that costs more than most tests. */
export function isInstalled(program: string): boolean {
  const directories = (Deno.env.get("PATH") ?? "").split(DELIMITER);
  return directories.some((directory) =>
    directory !== "" && isExecutable(join(directory, program + EXTENSION))
  );
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (mode === null || (mode & 0o111) !== 0);
  } catch {
    return false;
  }
}
