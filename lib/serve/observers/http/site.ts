/**
 * What `--http` answers: whom, to which questions.
 *
 * @module
 */
import { toJsonLine } from "../../../text/json.ts";
import { EXPOSITION_TYPE } from "../exposition.ts";
import type { Weakness } from "../server_view.ts";
import type { DumpDetails, DumpReader, StoredDump } from "../stored_dumps.ts";
import { API, type Status } from "./api.ts";
import { dumpPage } from "./dump_page.ts";
import { statusPage, STILL_PATH } from "./status_page.ts";
import { STYLE_SHEET } from "./style_sheet.ts";
import { type Answer, plainAnswer, type Request } from "./request.ts";

/** The server is looked at anew at most this often: however many ask, it costs what one costs. */
const FRESH_MS = 1000;
/** The dump directory is read anew at most this often. */
const LISTED_MS = 5000;
/** So long a page waits for the dump directory to be read. */
const LISTING_PATIENCE_MS = 3000;
/** Dumps change by other hands, too. */
const STALE_MS = 300_000;
/** Checks without which the program itself is broken. */
const HEALTH = ["receivers", "directory"];

/** What the site asks for. */
export interface SiteSources {
  /** What a look at the server finds. */
  readonly weaknesses: () => Promise<readonly Weakness[]>;
  /** All that is shown, at this moment. */
  readonly status: (weaknesses: readonly Weakness[]) => Omit<Status, "stored">;
  /** What Prometheus scrapes. */
  readonly metrics: (weaknesses: readonly Weakness[]) => string;
  readonly reader: DumpReader;
  /** Grows whenever a dump has ended or gone. */
  readonly changes: () => number;
  /** Names besides addresses and `localhost` that it is asked by. */
  readonly names: readonly string[];
  /** Ms that only go forward. */
  readonly now: () => number;
}

/** Answers requests. */
export class Site {
  readonly #sources: SiteSources;
  readonly #weaknesses: Fresh<readonly Weakness[]>;
  readonly #stored: Fresh<Listed>;
  /** The dump directory as it was read last. */
  #latest: Listed | undefined;
  #policy: Promise<string> | undefined;

  constructor(sources: SiteSources) {
    this.#sources = sources;
    const { now, reader, changes } = sources;
    this.#weaknesses = new Fresh(sources.weaknesses, FRESH_MS, now);
    this.#stored = new Fresh(
      async () => {
        const asked = { changes: changes(), atMs: now() };
        const dumps = await reader.list() ?? this.#latest?.dumps ?? null;
        return this.#latest = { ...asked, dumps };
      },
      LISTED_MS,
      now,
    );
  }

  /** Answers a request. */
  async answer({ method, path, host }: Request): Promise<Answer> {
    if (method !== "GET" && method !== "HEAD") {
      return plainAnswer(405, "Only GET and HEAD", { Allow: "GET, HEAD" });
    }
    // A page somewhere else whose name was made to lead here (DNS rebinding) asks by that name.
    if (!isAddress(host) && host !== "localhost" && !this.#sources.names.includes(host)) {
      return plainAnswer(421, "This server is not asked by that name: --http-host NAME would allow it");
    }
    switch (path) {
      case "/metrics": {
        const body = this.#sources.metrics(await this.#weaknesses.get());
        return { status: 200, type: EXPOSITION_TYPE, body };
      }
      case "/":
      case STILL_PATH:
        return await this.#page(statusPage(await this.#status(), path === "/"));
      case "/healthz":
        return verdict((await this.#weaknesses.get()).filter(({ check }) => HEALTH.includes(check)));
      case "/readyz":
        return verdict((await this.#weaknesses.get()).filter(({ blocks }) => blocks));
    }
    if (path.startsWith("/api/v1/")) return await this.#api(path.slice("/api/v1/".length));
    if (path.startsWith("/dumps/")) {
      const dump = await this.#find(path.slice("/dumps/".length));
      if (dump !== undefined) {
        return await this.#page(dumpPage(dump, await this.#sources.reader.read(dump.file)));
      }
    }
    return plainAnswer(404, "There is nothing here");
  }

  async #api(way: string): Promise<Answer> {
    if (Object.hasOwn(API, way)) return json(API[way]!(await this.#status()));
    if (way.startsWith("dumps/")) {
      const dump = await this.#find(way.slice("dumps/".length));
      if (dump !== undefined) return details(await this.#sources.reader.read(dump.file));
    }
    return plainAnswer(404, `There is nothing here; there are ${Object.keys(API).join(", ")}, dumps/FILE`);
  }

  async #status(): Promise<Status> {
    const weaknesses = await this.#weaknesses.get();
    return { ...this.#sources.status(weaknesses), stored: await this.#dumps() };
  }

  /** The dumps there are; read again only where that may give something new. */
  async #dumps(): Promise<readonly StoredDump[] | null> {
    const { now, changes } = this.#sources;
    const listed = this.#latest;
    const isCurrent = listed?.dumps != null && listed.changes === changes() && now() - listed.atMs < STALE_MS;
    if (isCurrent) return listed.dumps;
    // A directory of many dumps takes its time: whoever asks gets what there was before.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) =>
      timer = setTimeout(resolve, LISTING_PATIENCE_MS, undefined)
    );
    const read = await Promise.race([this.#stored.get(), late]);
    clearTimeout(timer);
    return (read ?? this.#latest)?.dumps ?? null;
  }

  /** Only what was listed is read. */
  async #find(file: string): Promise<StoredDump | undefined> {
    return (await this.#dumps())?.find((dump) => dump.file === file);
  }

  async #page(body: string): Promise<Answer> {
    const policy = await (this.#policy ??= contentPolicy());
    return {
      ...{ status: 200, type: "text/html; charset=utf-8", body },
      headers: { "Content-Security-Policy": policy },
    };
  }
}

/** What the dump directory had, and when. */
interface Listed {
  readonly changes: number;
  readonly atMs: number;
  readonly dumps: readonly StoredDump[] | null;
}

/** A page may have its own style, and nothing else. */
async function contentPolicy(): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(STYLE_SHEET));
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return `default-src 'none'; style-src 'sha256-${hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;
}

/** A value that is not asked for again as long as it is fresh, nor while it is being asked for. */
class Fresh<T> {
  readonly #ask: () => Promise<T>;
  readonly #freshMs: number;
  readonly #now: () => number;
  #value: Promise<T> | undefined;
  #atMs = 0;
  #pending = false;

  constructor(ask: () => Promise<T>, freshMs: number, now: () => number) {
    this.#ask = ask;
    this.#freshMs = freshMs;
    this.#now = now;
  }

  get(): Promise<T> {
    if (this.#value === undefined || (!this.#pending && this.#now() - this.#atMs >= this.#freshMs)) {
      this.#pending = true;
      this.#value = this.#ask().finally(() => {
        this.#pending = false;
        this.#atMs = this.#now();
      });
    }
    return this.#value;
  }
}

function isAddress(host: string): boolean {
  return /^(?:\d{1,3}\.){3}\d{1,3}$|^\[[0-9a-f:.]{2,45}\]$/.test(host);
}

function verdict(weaknesses: readonly Weakness[]): Answer {
  if (weaknesses.length === 0) return plainAnswer(200, "ok");
  return plainAnswer(503, weaknesses.map(({ problem, advice }) => `${problem}; ${advice}`).join("\n"));
}

function details(read: DumpDetails | string): Answer {
  return typeof read === "string" ? plainAnswer(503, read) : json(read.report);
}

function json(value: unknown): Answer {
  return { status: 200, type: "application/json", body: toJsonLine(value) };
}
