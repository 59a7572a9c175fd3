/** The shipper over a real store: what was begun and is not ended. */
import { assert, assertEquals } from "@std/assert";
import { ObjectStore } from "../../lib/archive/object_store.ts";
import { makeOutbox, Outbox } from "../../lib/archive/outbox.ts";
import { Shipper, type ShipperReport } from "../../lib/archive/shipper.ts";
import { StoreError } from "../../lib/archive/store_error.ts";
import { realFileSystem } from "../../lib/os/file_system.ts";
import { dumpHeader } from "../dump_data.ts";
import { randomBytes } from "../end_to_end/send_process.ts";
import { Swift, testWithSwift, unpacked } from "./swift.ts";

/** Of three parts: one more than come before the connection breaks. */
const CORE_BYTES = 36 * 2 ** 20;
const INFO = "Dump from w1 [192.0.2.7]\nDump complete\n";

/** A dump directory with one complete dump. */
async function makeDirectory(): Promise<string> {
  const root = await Deno.makeTempDir({ prefix: "netdump-test-" });
  await Deno.mkdir(`${root}/.netdump`);
  makeOutbox(realFileSystem, root);
  await Deno.writeFile(`${root}/vmcore.w1.0`, randomBytes(CORE_BYTES, 1));
  await Deno.writeFile(`${root}/kdh.w1.0`, dumpHeader(CORE_BYTES));
  await Deno.writeTextFile(`${root}/info.w1.0`, INFO);
  return root;
}

/** A store whose connection breaks behind some parts. */
class BreakingStore extends ObjectStore {
  partsLeft = 2;

  override putPart(...args: Parameters<ObjectStore["putPart"]>): ReturnType<ObjectStore["putPart"]> {
    if (this.partsLeft-- > 0) return super.putPart(...args);
    return Promise.reject(new StoreError("unreachable", "it broke"));
  }
}

async function makeShipper(root: string, store: ObjectStore): Promise<[Shipper, ShipperReport[]]> {
  const reports: ShipperReport[] = [];
  const shipper = new Shipper({
    ...{ root, prefix: "p/", store, settleMs: 0 },
    outbox: await Outbox.open(realFileSystem, root),
    pace: () => Promise.resolve(),
    describe: () => Promise.resolve(null),
    report: (report) => reports.push(report),
  });
  return [shipper, reports];
}

/** Names in the outbox, but for that of the collector. */
const notes = (root: string) =>
  realFileSystem.list(`${root}/.netdump/outbox`).filter((name) => name !== "collector")
    .map((name) => name.replace(/^[0-9a-f]{16}/, "ID"));

/** Keys of uploads that were begun and not ended. */
async function uploads(swift: Swift): Promise<string[]> {
  return (await Array.fromAsync(swift.store.uploadsBelow("p/"))).map(({ key }) => key);
}

testWithSwift("what was begun of a dump that is gone is aborted, also by another process", async () => {
  await using swift = await Swift.start();
  const root = await makeDirectory();
  try {
    const [shipper, reports] = await makeShipper(root, new BreakingStore(swift.settings()));
    assertEquals(await shipper.shipPending(), false);
    assertEquals(reports.map(({ report }) => report), ["pending", "problem"]);
    assertEquals(notes(root), ["ID.begun"]);
    assertEquals((await uploads(swift)).length, 1);
    for (const name of ["vmcore", "kdh", "info"]) await Deno.remove(`${root}/${name}.w1.0`);
    const [later] = await makeShipper(root, swift.store);
    assertEquals(await later.shipPending(), true);
    assertEquals(notes(root), []);
    assertEquals(await uploads(swift), []);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

testWithSwift(
  "what was begun of a dump that is there is ended, and what came of it is not sent again",
  async () => {
    await using swift = await Swift.start();
    const root = await makeDirectory();
    try {
      const [shipper] = await makeShipper(root, new BreakingStore(swift.settings()));
      assertEquals(await shipper.shipPending(), false);
      const [later, reports] = await makeShipper(root, swift.store);
      assertEquals(await later.shipPending(), true);
      assertEquals(notes(root), ["ID.shipped"]);
      const shipped = reports.find(({ report }) => report === "shipped");
      assert(shipped?.report === "shipped" && shipped.bytes - shipped.sentBytes >= 2 * 16 * 2 ** 20);
      const { objects } = JSON.parse(new TextDecoder().decode(await swift.store.get(shipped.catalogueKey)));
      const core = await Deno.readFile(`${root}/vmcore.w1.0`);
      // deno-lint-ignore no-explicit-any
      const { key } = objects.find(({ name }: any) => name === "vmcore.w1.0");
      assertEquals(await swift.store.uploads(key), []);
      const stored = await unpacked(await swift.store.get(key));
      assert(stored.length === core.length && stored.every((byte, at) => byte === core[at]));
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
);

testWithSwift(
  "a dump that is a link, or that changes while it is shipped, is not stored as if it were whole",
  async () => {
    await using swift = await Swift.start();
    const root = await makeDirectory();
    try {
      const store = new class extends ObjectStore {
        override async putPart(...args: Parameters<ObjectStore["putPart"]>) {
          await Deno.writeTextFile(`${root}/info.w1.0`, `${INFO}${INFO}`);
          return await super.putPart(...args);
        }
      }(swift.settings());
      const [shipper] = await makeShipper(root, store);
      assertEquals(await shipper.shipPending(), false);
      assertEquals((await Array.fromAsync(swift.store.list("p/catalog/"))).length, 0);
      await Deno.rename(`${root}/vmcore.w1.0`, `${root}/elsewhere`);
      await Deno.symlink(`${root}/elsewhere`, `${root}/vmcore.w1.0`);
      const [other, reports] = await makeShipper(root, swift.store);
      assertEquals(await other.shipPending(), false);
      const problem = reports.find(({ report }) => report === "problem");
      assert(problem?.report === "problem" && problem.problem.includes("is not a regular file"));
      assertEquals((await Array.fromAsync(swift.store.list("p/catalog/"))).length, 0);
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
);

testWithSwift(
  "an upload that was begun weeks ago is aborted, whoever began it, and a younger one is not",
  async () => {
    await using swift = await Swift.start();
    const root = await makeDirectory();
    try {
      await swift.setClock(-8 * 24 * 3600);
      const old = new ObjectStore(swift.settings(), () => Date.now() - 8 * 24 * 3600 * 1000);
      await old.beginUpload("p/dumps/w2/old");
      await old.beginUpload("elsewhere/dumps/w2/old");
      await swift.setClock(0);
      // Connections may end at any moment of such a jump.
      await swift.kill();
      await swift.restart();
      for (let i = 0; i < 3; i++) await swift.store.beginUpload("p/dumps/w2/young");
      const [shipper] = await makeShipper(root, swift.store);
      assertEquals(await shipper.tryStore(), true);
      assertEquals(new Set(await uploads(swift)), new Set(["p/dumps/w2/young"]));
      assertEquals((await swift.store.uploads("p/dumps/w2/young")).length, 3);
      assertEquals((await swift.store.uploads("elsewhere/dumps/w2/old")).length, 1);
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
);
