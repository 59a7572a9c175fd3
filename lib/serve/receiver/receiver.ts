/**
 * A receiver: sessions that do their own receiving, writing and acking, and what they share.
 *
 * @module
 */
import { relative } from "@std/path";
import { STATE_DIRECTORY } from "../../kerneldump/files/names.ts";
import type { FileSystem } from "../../os/file_system.ts";
import { describeError } from "../../os/system_error.ts";
import type { DatagramSocket, DatagramSockets } from "../../udp/datagram_socket.ts";
import type { ClientName, Order, ReceiverSettings, Report } from "../orders.ts";
import type { SessionIdentity } from "../session/journal.ts";
import { replay } from "../session/replay.ts";
import { Session, type SessionSettings } from "../session/session.ts";
import { PlaceError, resolvePlace, seriesName } from "../store/dump_directory.ts";
import { DumpFiles } from "../store/dump_files.ts";
import { JournalDirectory } from "../store/journal_directory.ts";
import { JournalFile } from "../store/journal_file.ts";
import { begunPlace, journalledEnd, reopenFiles } from "../store/reopen.ts";
import { removeOldDumps } from "../store/retention.ts";
import { spareBytes } from "../store/space.ts";
import type { Clock } from "./clock.ts";
import { EndingGate } from "./ending_gate.ts";
import {
  giveUp,
  type GiveUpHost,
  journalledName,
  raiseBoundsQuietly,
  readJournal,
  releaseQuietly,
} from "./give_up.ts";
import { Pace } from "./pace.ts";
import { type Resumed, Transfer, type TransferHost } from "./transfer.ts";

/** How far dumps and sessions are is told this often. */
const REPORT_MS = 2000;
/**
 * A port that a session had before is waited for as long as a kernel waits for acks (reference netdump-protocol.md 3.2): another
 * program may have it for a question of its own.
 */
const BIND_PATIENCE_MS = 12_000;

/** What a receiver needs of the world. */
export interface ReceiverWorld {
  readonly fs: FileSystem;
  readonly report: (report: Report) => void;
  readonly sockets: DatagramSockets;
  readonly clock: Clock;
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
  #cancelTimer: () => void = () => {};
  readonly pace: Pace;
  readonly endings: EndingGate;
  readonly #journals: JournalDirectory;

  constructor(settings: ReceiverSettings, world: ReceiverWorld) {
    this.#settings = settings;
    this.#world = world;
    this.endings = new EndingGate(this.clock);
    this.#journals = new JournalDirectory(world.fs, settings.root);
    this.pace = new Pace(settings.trace ? (run) => this.report({ report: "run", run }) : undefined);
    this.#every(REPORT_MS, () => {
      for (const transfer of this.#transfers.values()) transfer.reportProgress();
      this.#reportActivity();
      const counts = this.pace.take();
      if (counts !== undefined) this.report({ report: "pace", counts });
    });
  }

  get #giveUpHost(): GiveUpHost {
    return {
      fs: this.#fs,
      settings: this.#settings,
      surroundings: this,
      report: (report) => this.report(report),
    };
  }

  get #fs(): FileSystem {
    return this.#world.fs;
  }

  get clock(): Clock {
    return this.#world.clock;
  }

  get longJournalBytes(): number {
    return this.#world.longJournalBytes;
  }

  report(report: Report): void {
    this.#world.report(report);
  }

  createFiles(identity: SessionIdentity, name: ClientName, journal: JournalFile): DumpFiles {
    const { root } = this.#settings;
    const directory = this.#findPlace(identity);
    const client = { address: identity.client, hostName: name.hostName };
    const host = seriesName(this.#fs, directory, name.label, client);
    if (host !== name.label) {
      const text = `another host's dumps are called ${name.label}, this one's are called ${host}`;
      this.report({ report: "notice", level: "warning", id: identity.id, provoked: true, text });
    }
    const place = { directory: relative(root, directory) || ".", host };
    return DumpFiles.create(this.#fs, directory, place, name.hostName, journal);
  }

  spareBytes(directory: string): number {
    const { root, minFree } = this.#settings;
    return spareBytes(this.#fs, [root, directory], minFree);
  }

  async completed(files: DumpFiles): Promise<void> {
    const { keep } = this.#settings;
    if (keep === null) return;
    const policy = { keep, nowMs: this.clock.unixMs(), spareBytes: this.spareBytes(files.directory) };
    for (const dump of await removeOldDumps(this.#fs, files.directory, files.place, files.index, policy)) {
      this.report({ report: "removed", dump });
    }
  }

  closed(transfer: Transfer): void {
    const { id } = transfer.identity;
    this.#transfers.delete(id);
    this.#naming.delete(id);
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
      case "give-up":
        return giveUp(this.#giveUpHost, order.id, order.reason);
      case "ping":
        this.report({ report: "alive", number: order.number });
        return;
      case "evict":
        return this.#transfers.get(order.id)?.evict();
      case "stop":
        await Promise.all(Array.from(this.#transfers.values(), (transfer) => transfer.stop()));
        this.#cancelTimer();
        this.#world.sockets.close();
        this.report({ report: "stopped" });
        return;
      case "start":
      case "taken":
        throw new Error(`The receiver does not take "${order.order}"`);
    }
  }

  #every(waitMs: number, action: () => void): void {
    this.#cancelTimer = this.clock.after(waitMs, () => {
      action();
      this.#every(waitMs, action);
    });
  }

  #reportActivity(): void {
    const sessions = [...this.#transfers.values()].flatMap((transfer) => transfer.activity() ?? []);
    if (sessions.length > 0) this.report({ report: "activity", sessions });
  }

  /** Opens a new session. Its HERALD is acked when its journal is on disk, so that a restart finds it (P9). */
  async #open(session: SessionIdentity): Promise<void> {
    let socket: DatagramSocket | undefined;
    try {
      const directory = this.#findPlace(session);
      const name = this.#nameOf(session.id);
      socket = await this.#bind(session);
      const identity = { ...session, port: socket.port };
      const head = { format: 2, session: identity } as const;
      const journal = this.#journals.create(head, () => this.#tellRemade(identity.id));
      const machine = new Session(this.#sessionSettings(identity, directory), this.clock.now());
      const transfer = this.#add(socket, identity, machine, journal, name);
      transfer.ackHerald();
      this.report({ report: "opened", id: identity.id, port: identity.port });
    } catch (error) {
      socket?.close();
      this.#naming.delete(session.id);
      this.report({ report: "refused", id: session.id, reason: describeError(error) });
    }
  }

  #tellRemade(id: string): void {
    const text =
      `${STATE_DIRECTORY} was gone and is made anew; what its journals told is lost, and so is the lock that keeps a ` +
      "second server out, until this one is started again";
    this.report({ report: "notice", level: "warning", id, provoked: false, text });
  }

  /** Resolves when the supervisor tells the name. */
  #nameOf(id: string): Promise<ClientName> {
    const naming = Promise.withResolvers<ClientName>();
    this.#naming.set(id, naming);
    return naming.promise;
  }

  async #resume(id: string): Promise<void> {
    const { root } = this.#settings;
    let socket: DatagramSocket | undefined;
    let file: JournalFile | undefined;
    try {
      const journal = readJournal(this.#fs, root, id);
      const { session: identity } = journal.head;
      const place = begunPlace(this.#fs, root, journal);
      const directory = resolvePlace(this.#fs, root, place?.directory ?? ".");
      const ownBytes = place === undefined ? 0 : journalledEnd(journal.records);
      const session = new Session(this.#sessionSettings(identity, directory, ownBytes), this.clock.now());
      const replayed = place === undefined ? undefined : replay(session, journal, this.clock.now());
      // It may be told while the port is waited for.
      const name = this.#nameOf(id);
      socket = await this.#bind(identity);
      file = JournalFile.reopen(this.#fs, root, id);
      if (place === undefined || replayed === undefined) {
        if (journal.records.length > 0) file.rewrite(journal.head, []);
        this.#add(socket, identity, session, file, name).ackHerald();
      } else if (replayed.final !== undefined) {
        file.release();
        raiseBoundsQuietly(this.#fs, directory, place);
        session.enter("finished", this.clock.now(), replayed.finishedSeqno);
        this.#add(socket, identity, session, file, Promise.resolve(journalledName(place)));
      } else {
        session.enter("receiving", this.clock.now());
        const known = journalledName(place);
        const files = reopenFiles(this.#fs, root, place, file, session, replayed);
        this.#add(socket, identity, session, file, Promise.resolve(known), { files, name: known })
          .resume(replayed.finishedSeqno);
      }
      this.report({ report: "opened", id, port: identity.port });
    } catch (error) {
      socket?.close();
      this.#naming.delete(id);
      releaseQuietly(file);
      await giveUp(this.#giveUpHost, id, `it could not be taken up again (${describeError(error)})`);
    }
  }

  #add(
    socket: DatagramSocket,
    identity: SessionIdentity,
    session: Session,
    journal: JournalFile,
    name: Promise<ClientName>,
    resumed?: Resumed,
  ): Transfer {
    const transfer = new Transfer(this, socket, identity, session, journal, name, resumed);
    this.#transfers.set(identity.id, transfer);
    void transfer.receive();
    return transfer;
  }

  async #bind({ local, port, client }: SessionIdentity): Promise<DatagramSocket> {
    const peer = { hostname: client, port: this.#settings.ackPort };
    for (const startedMs = this.clock.now();;) {
      try {
        return this.#world.sockets.bind(local, port, peer);
      } catch (error) {
        // A receiver that crashed gives its ports back a moment later.
        const inUse = error instanceof Deno.errors.AddrInUse && port !== 0;
        if (!inUse || this.clock.now() - startedMs > BIND_PATIENCE_MS) throw error;
        await new Promise<void>((resolve) => this.clock.after(20, resolve));
      }
    }
  }

  /** @param ownBytes what the session has on the disk already */
  #sessionSettings(identity: SessionIdentity, directory: string, ownBytes = 0): SessionSettings {
    const { timeoutMs, lingerMs, mostBytes } = this.#settings;
    const most = mostBytes ?? Math.max(this.spareBytes(directory), 0) + ownBytes;
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
    try {
      return resolvePlace(this.#fs, root, defaultPath);
    } catch (error) {
      // A dump in the wrong directory is better than none.
      if (!(error instanceof PlaceError) || defaultPath === ".") throw error;
      this.report({ report: "default-path-unusable", path: defaultPath, reason: error.message });
      return resolvePlace(this.#fs, root, ".");
    }
  }
}
