/**
 * Names of clients, from the system's resolver, within a budget that keeps an ack from being late (P2).
 *
 * @module
 */
import dns from "node:dns";
import { parseAddress } from "../protocol/ipv4.ts";
import { hostLabel } from "../kerneldump/files/names.ts";
import type { ClientName } from "./orders.ts";

/** The first ack of data may wait this long for a name. */
const BUDGET_MS = 500;
const CACHE_MS = 5 * 60_000;
/** One that failed is soon tried again: the resolver may have been away. */
const FAILED_CACHE_MS = 10_000;
const MOST_CACHED = 1024;
/** Lookups under way at once; beyond that, clients are named by address. */
const MOST_LOOKUPS = 64;

/** Finds the full name of an address; `undefined` if it has none. */
export type Lookup = (address: string) => Promise<string | undefined>;

/** Resolves names, remembering answers for a while. */
export class HostNames {
  readonly #lookup: Lookup;
  readonly #cache = new Map<string, { readonly name: ClientName; readonly untilMs: number }>();
  readonly #underWay = new Map<string, Promise<ClientName>>();

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  /** The name of a client; its address if DNS has none, or none in time. Never throws. */
  async name(address: string): Promise<ClientName> {
    const cached = this.#cache.get(address);
    if (cached !== undefined && cached.untilMs > Date.now()) return cached.name;
    const running = this.#underWay.get(address);
    if (running === undefined && this.#underWay.size >= MOST_LOOKUPS) return byAddress(address);
    const lookup = running ?? this.#start(address);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<ClientName>((resolve) => {
      timer = setTimeout(() => resolve(byAddress(address)), BUDGET_MS);
    });
    const name = await Promise.race([lookup, late]);
    clearTimeout(timer);
    return name;
  }

  #start(address: string): Promise<ClientName> {
    const lookup = this.#lookup(address)
      .then(
        (hostName) => ({ name: named(address, hostName), keptMs: CACHE_MS }),
        () => ({ name: byAddress(address), keptMs: FAILED_CACHE_MS }),
      )
      .then(({ name, keptMs }) => {
        this.#underWay.delete(address);
        this.#cache.delete(address);
        if (this.#cache.size >= MOST_CACHED) this.#cache.delete(this.#cache.keys().next().value!);
        this.#cache.set(address, { name, untilMs: Date.now() + keptMs });
        return name;
      });
    this.#underWay.set(address, lookup);
    return lookup;
  }
}

/** A client that is named by its address. */
export function byAddress(address: string): ClientName {
  return { label: address, hostName: null };
}

function named(address: string, hostName: string | undefined): ClientName {
  // getnameinfo answers with the address itself where there is no name.
  if (hostName === undefined || parseAddress(hostName) !== undefined) return byAddress(address);
  const label = hostLabel(hostName);
  return label === undefined ? byAddress(address) : { label, hostName };
}

/**
 * Asks the system: getnameinfo(3) where Deno has it (`dns.lookupService`, missing in Deno 2.4), which knows
 * /etc/hosts and whatever else the system does; else /etc/hosts, then a PTR query.
 */
export const systemLookup: Lookup = async (address) => {
  if (typeof dns.lookupService === "function") {
    return await new Promise((resolve) =>
      dns.lookupService(address, 9, (error, hostName) => resolve(error === null ? hostName : undefined))
    );
  }
  const fromHosts = findInHosts(await Deno.readTextFile(hostsPath()).catch(() => ""), address);
  if (fromHosts !== undefined) return fromHosts;
  const name = address.split(".").reverse().join(".") + ".in-addr.arpa";
  const [answer] = await Deno.resolveDns(name, "PTR");
  return answer?.replace(/\.$/, "");
};

/** Finds an address in the text of a hosts file. */
export function findInHosts(text: string, address: string): string | undefined {
  for (const line of text.split("\n")) {
    const [lineAddress, name] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (lineAddress === address) return name;
  }
  return undefined;
}

function hostsPath(): string {
  return Deno.build.os === "windows" ? "C:\\Windows\\System32\\drivers\\etc\\hosts" : "/etc/hosts";
}
