/**
 * What `--http` answers: whom, to which questions.
 *
 * @module
 */
import { toJsonLine } from "../../../text/json.ts";
import { EXPOSITION_TYPE } from "../exposition.ts";
import type { Weakness } from "../server_view.ts";
import { API, type Status } from "./api.ts";
import { type Answer, plainAnswer, type Request } from "./request.ts";

/** The server is looked at anew at most this often: however many ask, it costs what one costs. */
const FRESH_MS = 1000;
/** Checks without which the program itself is broken. */
const HEALTH = ["receivers", "directory"];

/** What the site asks for. */
export interface SiteSources {
  /** What a look at the server finds. */
  readonly weaknesses: () => Promise<readonly Weakness[]>;
  /** All that is shown, at this moment. */
  readonly status: (weaknesses: readonly Weakness[]) => Status;
  /** What Prometheus scrapes. */
  readonly metrics: (weaknesses: readonly Weakness[]) => string;
  /** Names besides addresses and `localhost` that it is asked by. */
  readonly names: readonly string[];
  /** Ms that only go forward. */
  readonly now: () => number;
}

/** Answers requests. */
export class Site {
  readonly #sources: SiteSources;
  readonly #weaknesses: Fresh<readonly Weakness[]>;

  constructor(sources: SiteSources) {
    this.#sources = sources;
    this.#weaknesses = new Fresh(sources.weaknesses, FRESH_MS, sources.now);
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
      case "/healthz":
        return verdict((await this.#weaknesses.get()).filter(({ check }) => HEALTH.includes(check)));
      case "/readyz":
        return verdict((await this.#weaknesses.get()).filter(({ blocks }) => blocks));
    }
    if (path.startsWith("/api/v1/")) return await this.#api(path.slice("/api/v1/".length));
    return plainAnswer(404, "There is nothing here");
  }

  async #api(way: string): Promise<Answer> {
    if (Object.hasOwn(API, way)) return json(API[way]!(await this.#status()));
    return plainAnswer(404, `There is nothing here; there are ${Object.keys(API).join(", ")}`);
  }

  async #status(): Promise<Status> {
    return this.#sources.status(await this.#weaknesses.get());
  }
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

function json(value: unknown): Answer {
  return { status: 200, type: "application/json", body: toJsonLine(value) };
}
