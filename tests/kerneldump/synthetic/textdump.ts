import { concatenate } from "./concatenate.ts";

/** Builds a textdump: a ustar archive with the kernel's quirks (reference section 6). */
export function buildTextdump(
  members: Readonly<Record<string, string>> = {
    "ddb.txt": "db:0:kdb.enter.default>  bt\nTracing pid 0 tid 100000 td 0xffffffff81\n",
    "config.txt": "ident GENERIC\n",
    "msgbuf.txt": "<6>da0: removed\npanic: boom\ncpuid = 1\n",
    "panic.txt": "boom",
    "version.txt": "FreeBSD 13.2-RELEASE GENERIC\n",
  },
  mtime = 1684328878,
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const [name, text] of Object.entries(members)) {
    const contents = new TextEncoder().encode(text);
    // panic.txt always occupies a block, even if it is empty.
    const blocks = Math.max(name === "panic.txt" ? 1 : 0, Math.ceil(contents.byteLength / 512));
    const body = new Uint8Array(512 * blocks);
    body.set(contents);
    parts.push(ustarHeader(name, contents.byteLength, mtime), body);
  }
  return concatenate(parts);
}

function ustarHeader(name: string, size: number, mtime: number): Uint8Array {
  const header = new Uint8Array(512);
  const put = (at: number, text: string) => new TextEncoder().encodeInto(text, header.subarray(at));
  put(0, name);
  put(100, "0600");
  put(108, "0");
  put(116, "0");
  put(124, size.toString(8));
  put(136, mtime.toString(8));
  put(257, "ustar");
  put(265, "root");
  put(297, "wheel");
  put(148, " ".repeat(8));
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, sum.toString(8).padStart(6) + "\0");
  return header;
}
