/**
 * The passphrase of a private key: from a file, or asked for on a terminal without showing what is typed.
 *
 * @module
 */

import { describeError } from "../../os/system_error.ts";
import { quote } from "../../text/escape.ts";
import { OperationError } from "../exit_status.ts";

/** Longer passphrases are a wrong file. */
const MAX_BYTES = 4096;

const Key = {
  INTERRUPT: 3,
  END: 4,
  BACKSPACE: 8,
  LINE_FEED: 10,
  RETURN: 13,
  ERASE_LINE: 21,
  DELETE: 127,
} as const;

/** Takes the first line of a file as a passphrase. */
export async function readPassphraseFile(path: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw new OperationError(`Cannot read the passphrase file ${quote(path)}: ${describeError(error)}`);
  }
  const line = text.split(/\r?\n/, 1)[0] ?? "";
  if (line.length > MAX_BYTES) {
    throw new OperationError(`The first line of ${quote(path)} is too long for a passphrase`);
  }
  return line;
}

/**
 * Asks for a passphrase on the terminal.
 *
 * @throws {OperationError} if standard input is no terminal, or the user gives up
 */
export async function askPassphrase(prompt: string): Promise<string> {
  if (!Deno.stdin.isTerminal()) {
    throw new OperationError(
      "The private key has a passphrase: give it with --passphrase-file, or run on a terminal",
    );
  }
  const say = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(text));
  say(prompt);
  Deno.stdin.setRaw(true);
  try {
    const passphrase = await readHidden();
    if (passphrase === undefined) throw new OperationError("No passphrase was given");
    return passphrase;
  } finally {
    Deno.stdin.setRaw(false);
    say("\n");
  }
}

/** Reads keys up to the end of the line; `undefined` if the user gives up. */
async function readHidden(): Promise<string | undefined> {
  const typed: number[] = [];
  const buffer = new Uint8Array(256);
  for (;;) {
    const count = await Deno.stdin.read(buffer);
    if (count === null) return undefined;
    for (const byte of buffer.subarray(0, count)) {
      switch (byte) {
        case Key.RETURN:
        case Key.LINE_FEED:
          return new TextDecoder().decode(Uint8Array.from(typed));
        case Key.INTERRUPT:
        case Key.END:
          return undefined;
        case Key.BACKSPACE:
        case Key.DELETE:
          eraseCharacter(typed);
          break;
        case Key.ERASE_LINE:
          typed.length = 0;
          break;
        default:
          if (typed.length < MAX_BYTES) typed.push(byte);
      }
    }
  }
}

/** Takes away a whole UTF-8 character. */
function eraseCharacter(typed: number[]): void {
  while (typed.length > 0 && (typed.pop()! & 0xc0) === 0x80);
}
