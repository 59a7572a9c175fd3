/** Chromium without a screen, driven by its DevTools protocol: what a page looks like to a reader. */

import { PATIENCE_MS } from "../patience.ts";

/** Chromium's program, `undefined` where there is none. */
export const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  },
);

interface Reply {
  readonly id?: number;
  readonly method?: string;
  // deno-lint-ignore no-explicit-any
  readonly params?: any;
  // deno-lint-ignore no-explicit-any
  readonly result?: any;
}

/** A page in a browser of its own. */
export class BrowserPage {
  /** What the browser complained of: policies that were broken, resources that failed. */
  readonly complaints: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #replies = new Map<number, (reply: Reply) => void>();
  readonly #events = new Map<string, () => void>();
  readonly #closed = Promise.withResolvers<void>();
  #last = 0;

  private constructor(process: Deno.ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = () => this.#closed.resolve();
  }

  /** Starts a browser with an empty page. */
  static async open(): Promise<BrowserPage> {
    const profile = await Deno.makeTempDir({ prefix: "netdump-chromium-" });
    const process = new Deno.Command(CHROMIUM!, {
      args: [
        ...["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
        ...["--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const port = await debuggingPort(process.stderr);
    const targets = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
    const { webSocketDebuggerUrl } = targets.find(({ type }: { type: string }) => type === "page");
    const socket = new WebSocket(webSocketDebuggerUrl);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const page = new BrowserPage(process, profile, socket);
    for (const domain of ["Page", "Log", "Runtime"]) await page.call(`${domain}.enable`);
    return page;
  }

  /** Shows an address, at a width and in a theme, and waits until it is there. */
  async show(url: string, width: number, theme: "dark" | "light"): Promise<void> {
    await this.call("Emulation.setDeviceMetricsOverride", {
      ...{ width, height: 900, deviceScaleFactor: 1, mobile: width < 500 },
    });
    await this.call("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: theme }],
    });
    const loaded = new Promise<void>((resolve) => this.#events.set("Page.loadEventFired", resolve));
    await this.call("Page.navigate", { url });
    await loaded;
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result } = await this.call("Runtime.evaluate", { expression, returnByValue: true });
    return result.value;
  }

  /** Presses a key, as a reader without a mouse does. */
  async press(key: string): Promise<void> {
    for (const type of ["rawKeyDown", "keyUp"]) {
      await this.call("Input.dispatchKeyEvent", { type, key, code: key, windowsVirtualKeyCode: 9 });
    }
  }

  /** A picture of all of the page, PNG. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.call("Page.captureScreenshot", { captureBeyondViewport: true });
    return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  }

  // deno-lint-ignore no-explicit-any
  async call(method: string, params: unknown = {}): Promise<any> {
    const id = ++this.#last;
    const reply = new Promise<Reply>((resolve) => this.#replies.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    return (await reply).result;
  }

  #take(reply: Reply): void {
    if (reply.id !== undefined) {
      this.#replies.get(reply.id)?.(reply);
      this.#replies.delete(reply.id);
      return;
    }
    if (reply.method === "Log.entryAdded") this.complaints.push(reply.params.entry.text);
    this.#events.get(reply.method ?? "")?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#closed.promise;
    await Deno.remove(this.#profile, { recursive: true }).catch(() => {});
  }
}

/** The port that it tells on its stderr, of which nothing else is of interest. */
async function debuggingPort(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stderr.pipeThrough(new TextDecoderStream()).getReader();
  const late = setTimeout(() => void reader.cancel(), PATIENCE_MS);
  let text = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`Chromium did not start:\n${text}`);
    text += value;
    const [, port] = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(text) ?? [];
    if (port === undefined) continue;
    clearTimeout(late);
    await reader.cancel();
    return port;
  }
}
