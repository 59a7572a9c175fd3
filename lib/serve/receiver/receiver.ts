/**
 * A receiver: sessions that do their own receiving, writing and acking, and what they share.
 *
 * @module
 */
import { relative } from "@std/path";
import { Bursts } from "./bursts.ts";
import { PlaceError, resolvePlace, seriesName } from "../store/dump_directory.ts";
import { DumpFiles, type LinkRequest } from "../store/dump_files.ts";
import { EventLoop } from "./event_loop.ts";
import { type FileSystem } from "../../os/file_system.ts";
import { describeError } from "../../os/system_error.ts";
import { parseJournal, type SessionIdentity } from "../session/journal.ts";
import { JournalFile, journalPath } from "../store/journal_file.ts";
import type { ClientName, Order, ReceiverSettings, Report } from "../orders.ts";
import { replay } from "../session/replay.ts";
import { journalledEnd, reopenFiles } from "../store/reopen.ts";
import { removeOldDumps } from "../store/retention.ts";
import { Session, type SessionSettings } from "../session/session.ts";
import { type Resumed, Transfer, type TransferHost } from "./transfer.ts";

/** Running dumps are told of this often. */
const PROGRESS_MS = 10_000;
/** A port that a session had before is waited for this long. */
const BIND_PATIENCE_MS = 2000;

/** What a receiver needs of the world. */
export interface ReceiverWorld {
  readonly fs: FileSystem;
  readonly report: (report: Report) => void;
  /** Binds a UDP socket, with port 0 to any port. */
  readonly bind: (address: string, port: number) => Deno.DatagramConn;
  /** A journal longer than this is condensed. */
  readonly longJournalBytes: number;
}

/** Client names that sessions wait for. */
interface Naming {
  readonly resolve: (name: ClientName) => void;
}

/** Carries out the supervisor's orders, and reports. */
export class Receiver implements TransferHost {
  readonly #settings: ReceiverSettings;
  readonly #world: ReceiverWorld;
  readonly #transfers = new Map<string, Transfer>();
  readonly #naming = new Map<string, Naming>();
  readonly #links = new Map<number, (error: string | null) => void>();
  #nextLink = 0;
  readonly loop = new EventLoop();
  readonly bursts = new Bursts(this.loop);
  readonly #progress: ReturnType<typeof setInterval>;

  constructor(settings: ReceiverSettings, world: ReceiverWorld) {
    this.#settings = settings;
    this.#world = world;
    this.#progress = setInterval(() => {
      for (const transfer of this.#transfers.values()) transfer.reportProgress();
    }, PROGRESS_MS);
  }

  get #fs(): FileSystem {
    return this.#world.fs;
  }

  now(): number {
    return performance.now();
  }

  get longJournalBytes(): number {
    return this.#world.longJournalBytes;
  }

  report(report: Report): void {
    this.#world.report(report);
  }

  link(request: LinkRequest): Promise<void> {
    const number = this.#nextLink++;
    return new Promise((resolve, reject) => {
      this.#links.set(number, (error) => error === null ? resolve() : reject(new Error(error)));
      this.report({ report: "link", request: number, link: request });
    });
  }

  createFiles(identity: SessionIdentity, name: ClientName): DumpFiles {
    const { root } = this.#settings;
    const directory = this.#findPlace(identity);
    const client = { address: identity.client, hostName: name.hostName };
    const host = seriesName(this.#fs, directory, name.label, client);
    if (host !== name.label) {
      const text = `Client ${identity.client}: another host's dumps are called ${name.label}, ` +
        `this one's are called ${host}`;
      this.report({ report: "notice", level: "warning", id: identity.id, text });
    }
    const place = { directory: relative(root, directory) || ".", host };
    return DumpFiles.create(this.#fs, root, directory, {
      format: 1,
      session: identity,
      place,
      hostName: name.hostName,
    });
  }

  spareBytes(): number {
    const { root, minFreeBytes } = this.#settings;
    try {
      return this.#fs.space(root).freeBytes - minFreeBytes;
    } catch {
      // Some file systems cannot tell; a write will.
      return Infinity;
    }
  }

  async completed(files: DumpFiles): Promise<void> {
    const { keep } = this.#settings;
    if (keep === null) return;
    const removed = await removeOldDumps(this.#fs, files.directory, files.place.host, keep);
    if (removed.length > 0) this.report({ report: "removed", files: removed });
  }

  closed(transfer: Transfer): void {
    const { id } = transfer.identity;
    this.#transfers.delete(id);
    this.#naming.delete(id);
    this.bursts.forget(transfer);
    this.report({ report: "closed", id });
  }

  /** Carries out an order. */
  async obey(order: Order): Promise<void> {
    switch (order.order) {
      case "open":
        return this.#open(order.session);
      case "resume":
        return this.#resume(order.id);
      case "ack-herald":
        return this.#transfers.get(order.id)?.ackHerald();
      case "name":
        return this.#naming.get(order.id)?.resolve(order.name);
      case "linked":
        this.#links.get(order.request)?.(order.error);
        this.#links.delete(order.request);
        return;
      case "evict":
        return this.#transfers.get(order.id)?.evict();
      case "stop":
        await Promise.all(Array.from(this.#transfers.values(), (transfer) => transfer.stop()));
        clearInterval(this.#progress);
        this.loop.close();
        this.report({ report: "stopped" });
        return;
      case "start":
        throw new Error("The receiver has been started before");
    }
  }

  async #open(identity: SessionIdentity): Promise<void> {
    const naming = Promise.withResolvers<ClientName>();
    this.#naming.set(identity.id, naming);
    try {
      this.#findPlace(identity);
      const socket = await this.#bind(identity);
      const { port } = socket.addr as Deno.NetAddr;
      const session = new Session(this.#sessionSettings(identity), this.now());
      this.#add(socket, { ...identity, port }, session, naming.promise);
      this.report({ report: "opened", id: identity.id, port });
    } catch (error) {
      this.#naming.delete(identity.id);
      this.report({ report: "refused", id: identity.id, reason: describeError(error) });
    }
  }

  async #resume(id: string): Promise<void> {
    const { root } = this.#settings;
    let socket: Deno.DatagramConn | undefined;
    try {
      const journal = parseJournal(this.#fs.readText(journalPath(root, id)));
      const { session: identity, place, hostName } = journal.head;
      const settings = this.#sessionSettings(identity, journalledEnd(journal.records));
      const session = new Session(settings, this.now());
      const replayed = replay(session, journal, this.now());
      socket = await this.#bind(identity);
      session.enter(
        replayed.final === undefined ? "receiving" : "finished",
        this.now(),
        replayed.final === undefined ? undefined : replayed.finishedSeqno,
      );
      const name = { label: place.host, hostName };
      const resumed = replayed.final === undefined
        ? { files: reopenFiles(this.#fs, root, journal.head, session, replayed), name }
        : { journal: JournalFile.reopen(this.#fs, root, id) };
      const transfer = this.#add(socket, identity, session, Promise.resolve(name), resumed);
      this.report({ report: "opened", id, port: identity.port });
      if (replayed.final === undefined) transfer.resume(replayed.finishedSeqno);
    } catch (error) {
      socket?.close();
      this.report({ report: "refused", id, reason: describeError(error) });
    }
  }

  #add(
    socket: Deno.DatagramConn,
    identity: SessionIdentity,
    session: Session,
    name: Promise<ClientName>,
    resumed?: Resumed,
  ): Transfer {
    const { ackPort } = this.#settings;
    const transfer = new Transfer(this, socket, identity, session, ackPort, name, resumed);
    this.#transfers.set(identity.id, transfer);
    void transfer.run();
    return transfer;
  }

  async #bind({ local, port }: SessionIdentity): Promise<Deno.DatagramConn> {
    for (const startedMs = this.now();;) {
      try {
        return this.#world.bind(local, port);
      } catch (error) {
        // A receiver that crashed gives its ports back a moment later.
        const inUse = error instanceof Deno.errors.AddrInUse && port !== 0;
        if (!inUse || this.now() - startedMs > BIND_PATIENCE_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** @param ownBytes what the session has on the disk already */
  #sessionSettings(identity: SessionIdentity, ownBytes = 0): SessionSettings {
    const { timeoutMs, lingerMs, mostBytes } = this.#settings;
    const most = mostBytes ?? Math.max(this.spareBytes(), 0) + ownBytes;
    return { heraldSeqno: identity.heraldSeqno, timeoutMs, lingerMs, mostBytes: most };
  }

  /** The directory for a client's path; the default one where that cannot be used (reference 5.3). */
  #findPlace(identity: SessionIdentity): string {
    const { root, defaultPath } = this.#settings;
    if (identity.path !== null) {
      try {
        return resolvePlace(this.#fs, root, identity.path);
      } catch (error) {
        if (!(error instanceof PlaceError)) throw error;
        const { id, path } = identity;
        if (!this.#transfers.has(id)) {
          this.report({ report: "path-refused", id, path, reason: error.message });
        }
      }
    }
    return resolvePlace(this.#fs, root, defaultPath);
  }
}
