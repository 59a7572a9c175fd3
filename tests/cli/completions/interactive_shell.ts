/**
 * An interactive shell on a terminal of its own (`script` of util-linux), to press keys in.
 *
 * Its start-up file binds Meta-* to insert every completion into the line, and Ctrl-X Ctrl-R to append the line to
 * a file, so that what a user would see is read without a look at the screen.
 */
import { join } from "@std/path";
import { PATIENCE_MS } from "../../patience.ts";

const INSERT_ALL = "\x1b*";
const REPORT = "\x18\x12";
const DISCARD = "\x15";

/** A shell that waits for keys. */
export class InteractiveShell implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reportPath: string;
  readonly #screen: Promise<void>;
  #reports = 0;

  private constructor(child: Deno.ChildProcess, reportPath: string) {
    this.#child = child;
    this.#keys = child.stdin.getWriter();
    this.#reportPath = reportPath;
    this.#screen = child.stdout.pipeTo(new WritableStream());
  }

  /**
   * Starts a shell.
   *
   * @param command shell command that starts it; its start-up file appends lines to `$REPORT`
   * @param directory where it starts
   */
  static async start(
    command: string,
    directory: string,
    env: Record<string, string>,
  ): Promise<InteractiveShell> {
    const reportPath = await Deno.makeTempFile();
    const child = new Deno.Command("script", {
      args: ["--quiet", "--command", command, "/dev/null"],
      cwd: directory,
      env: { ...env, REPORT: reportPath, TERM: "xterm", SHELL: "/bin/sh", HISTFILE: "" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const shell = new InteractiveShell(child, reportPath);
    // Keys pressed before the line editor has the terminal are lost, so press until it answers.
    for (let tries = 0; await shell.#report(REPORT, 500) === undefined; tries++) {
      if (tries === 240) throw new Error(`No line editor after ${tries} tries: ${command}`);
    }
    return shell;
  }

  /** Types the line, has every completion inserted, and gives the line that results, without the blank at its end. */
  async completeAll(line: string): Promise<string> {
    // What was pressed at the start may be answered as late as now, with the empty line of then.
    const completed = await this.#report(
      line + INSERT_ALL + REPORT + DISCARD,
      PATIENCE_MS,
      (line) => line !== "",
    );
    if (completed === undefined) throw new Error(`No completion of ${JSON.stringify(line)}`);
    return completed.trimEnd();
  }

  async #report(
    keys: string,
    patienceMs: number,
    isAnswer: (line: string) => boolean = () => true,
  ): Promise<string | undefined> {
    await this.#keys.write(new TextEncoder().encode(keys));
    const giveUp = performance.now() + patienceMs;
    do {
      const reports = (await Deno.readTextFile(this.#reportPath)).split("\0").slice(0, -1);
      const answer = reports.slice(this.#reports).findLast(isAnswer);
      this.#reports = reports.length;
      if (answer !== undefined) return answer;
      await new Promise((resolve) => setTimeout(resolve, 10));
    } while (performance.now() < giveUp);
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#screen.catch(() => {});
    await this.#keys.close().catch(() => {});
    await Deno.remove(this.#reportPath);
  }
}

/** A bash that has read `script` at its start. */
export async function startBash(directory: string, home: string, script: string): Promise<InteractiveShell> {
  const rc = join(home, ".bashrc");
  const keys = [
    `bind '"\\e*": insert-completions'`,
    `bind -x '"\\C-x\\C-r": printf "%s\\0" "$READLINE_LINE" >>"$REPORT"'`,
  ];
  await Deno.writeTextFile(rc, [script, ...keys, ""].join("\n"));
  return await InteractiveShell.start(`exec bash --noprofile --rcfile '${rc}' -i`, directory, { HOME: home });
}

/** A zsh with its completion system; the scripts come before and after that is loaded. */
export async function startZsh(
  directory: string,
  home: string,
  { before = "", after = "" },
): Promise<InteractiveShell> {
  const rc = `${before}
autoload -Uz compinit && compinit -u -D
${after}
zle -C all-matches complete-word _generic
zstyle ':completion:all-matches::::' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert yes
report() { printf '%s\\0' "$BUFFER" >>"$REPORT" }
zle -N report
bindkey -e
bindkey '\\e*' all-matches
bindkey '^X^R' report
`;
  await Deno.writeTextFile(join(home, ".zshrc"), rc);
  return await InteractiveShell.start("exec zsh -d -i", directory, { HOME: home, ZDOTDIR: home });
}
