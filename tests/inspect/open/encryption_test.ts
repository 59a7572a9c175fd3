import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { examine } from "../../../lib/inspect/examine.ts";
import { needsPassphrase, type PrivateKey, readPrivateKey } from "../../../lib/inspect/open/private_key.ts";
import { endOfDump, writeDump } from "../../../lib/inspect/write_dump.ts";
import { buildDeviceImage, concatenate } from "../../kerneldump/synthetic.ts";
import { headerOf, MESSAGES, minidumpWithMessages, receivedDump, withFiles } from "../dumps.ts";
import { encryptDump, type KeyPair, makeKeyPair } from "../encrypted_dumps.ts";
import { openssl, run, withoutOpenssl, withoutZstd } from "../tools.ts";

const MINIDUMP = minidumpWithMessages();

function test(name: string, fn: () => Promise<void>, without = withoutOpenssl): void {
  Deno.test({ name: `${name}${without}`, ignore: without !== "", fn });
}

/** Key pairs take a while to make: one for all tests. */
let pairs: Promise<{ right: KeyPair; wrong: KeyPair }> | undefined;
function keyPairs(): Promise<{ right: KeyPair; wrong: KeyPair }> {
  pairs ??= (async () => {
    const directory = await Deno.makeTempDir({ prefix: "netdump-keys-" });
    globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
    return { right: await makeKeyPair(directory), wrong: await makeKeyPair(directory, "wrong") };
  })();
  return pairs;
}

const load = async (path: string, passphrase?: string): Promise<PrivateKey> =>
  readPrivateKey(await Deno.readTextFile(path), passphrase);

for (const cipher of ["aes-256-cbc", "chacha20"] as const) {
  for (const padding of ["oaep", "pkcs1"] as const) {
    test(`examine() looks through ${cipher} with ${padding}`, async () => {
      const { right, wrong } = await keyPairs();
      const { encrypted, key } = await encryptDump(MINIDUMP, cipher, padding, right.publicPath);
      const name = "vmcore_encrypted.w1.0";
      const files = receivedDump("w1.0", encrypted, { name, header: { dumpKeySize: key.byteLength } });
      await withFiles({ ...files, "key.w1.0": key }, async (_, path) => {
        const look = async (privateKey: PrivateKey | null) => {
          const examination = await examine(path(name), { thoroughness: "look", privateKey });
          examination.close();
          return examination.findings;
        };
        const closed = await look(null);
        // It is as long as its header says.
        assertEquals([closed.kind, closed.layers, closed.complete], ["unknown", ["encrypted"], true]);
        assertEquals(closed.problems.map(({ code }) => code), ["encrypted"]);
        assertEquals([closed.key?.cipher, closed.summary.panic], [cipher, "sleeping thread"]);
        const open = await look(await load(right.pem));
        assertEquals([open.kind, open.layers, open.complete], ["minidump", ["encrypted"], true]);
        assertEquals([open.messages, open.problems], [MESSAGES, []]);
        const refused = await look(await load(wrong.pem));
        assertEquals(refused.problems.map(({ code }) => code), ["private-key-wrong"]);
        assertEquals(refused.complete, null);
        assertMatch(refused.problems[0]!.message, /made for another one/);
      });
    });
  }
}

test(
  "examine() looks through ChaCha20 and zstd, padding encrypted too, and the dump is written cut",
  async () => {
    const { right } = await keyPairs();
    const { stdout: zst } = await run("zstd", ["-q", "--check", "-c"], MINIDUMP);
    const padded = concatenate([zst, new Uint8Array(4096 - zst.byteLength % 4096)]);
    const { encrypted, key } = await encryptDump(padded, "chacha20", "oaep", right.publicPath);
    const name = "vmcore_encrypted.w1.0.zst";
    const header = {
      compression: "zstd",
      dumpLength: zst.byteLength,
      dumpExtent: MINIDUMP.byteLength,
      dumpKeySize: key.byteLength,
    } as const;
    const files = receivedDump("w1.0", encrypted, { name, header });
    await withFiles({ ...files, "key.w1.0": key }, async (_, path) => {
      const examination = await examine(path(name), {
        thoroughness: "verify",
        privateKey: await load(right.pem),
      });
      const { findings, decrypted } = examination;
      assertEquals([findings.layers, findings.complete], [["encrypted", "zstd"], true]);
      assertEquals([findings.messages, findings.problems], [MESSAGES, []]);
      const watch = { onCreated: () => {}, onProgress: () => {} };
      const written = await writeDump(decrypted!, endOfDump(decrypted!, findings.header), path("out"), watch);
      assertEquals(written, zst.byteLength);
      assertEquals(await Deno.readFile(path("out")), zst);
      assertEquals((await Deno.stat(path("out"))).mode! & 0o777, 0o600);
      examination.close();
    });
  },
  withoutOpenssl + withoutZstd,
);

test("examine() looks through savecore's gzip around the ciphertext", async () => {
  const { right } = await keyPairs();
  const { encrypted, key } = await encryptDump(MINIDUMP, "aes-256-cbc", "oaep", right.publicPath);
  const { stdout } = await run("gzip", ["-c", "-n"], encrypted);
  const name = "vmcore_encrypted.3.gz";
  await withFiles({ [name]: stdout, "key.3": key }, async (_, path) => {
    const examination = await examine(path(name), {
      thoroughness: "look",
      privateKey: await load(right.pem),
    });
    examination.close();
    const { layers, kind, complete } = examination.findings;
    assertEquals([layers, kind, complete], [["gzip", "encrypted"], "minidump", true]);
  });
});

test("examine() takes the key of an encrypted dump from its device", async () => {
  const { right } = await keyPairs();
  const { encrypted, key } = await encryptDump(MINIDUMP, "chacha20", "oaep", right.publicPath);
  const small = key.subarray(0, 512);
  const { bytes } = headerOf(MINIDUMP, { blockSize: 512, dumpKeySize: small.byteLength });
  const image = buildDeviceImage({ header: bytes, data: encrypted, key: small });
  await withFiles({ image }, async (_, path) => {
    const examination = await examine(path("image"), {
      thoroughness: "look",
      privateKey: await load(right.pem),
    });
    examination.close();
    assertEquals(examination.findings.messages, MESSAGES);
    assertEquals([examination.findings.complete, examination.findings.problems], [true, []]);
  });
});

test("examine() says what is wrong with the key beside an encrypted dump", async () => {
  const { right } = await keyPairs();
  const { encrypted, key } = await encryptDump(MINIDUMP, "chacha20", "oaep", right.publicPath);
  const privateKey = await load(right.pem);
  const codeWith = async (files: Record<string, Uint8Array>) => {
    let codes: string[] = [];
    await withFiles({ "vmcore_encrypted.1": encrypted, ...files }, async (_, path) => {
      const examination = await examine(path("vmcore_encrypted.1"), { thoroughness: "look", privateKey });
      examination.close();
      codes = examination.findings.problems.map(({ code }) => code);
    });
    return codes;
  };
  assertEquals(await codeWith({}), ["key-missing", "encrypted-unread"]);
  assertEquals(await codeWith({ "key.1": key.subarray(0, 100) }), ["key-damaged", "encrypted-unread"]);
  // A key of another dump decrypts, but to noise.
  const otherIv = key.slice();
  otherIv[1]! ^= 1;
  assertEquals(await codeWith({ "key.1": otherIv }), ["private-key-wrong", "encrypted-unread"]);
});

test("examine() leaves a plain dump alone that an old key lies beside", async () => {
  const { right } = await keyPairs();
  const { key } = await encryptDump(MINIDUMP, "chacha20", "oaep", right.publicPath);
  await withFiles({ "vmcore.1": MINIDUMP, "key.1": key }, async (_, path) => {
    const examination = await examine(path("vmcore.1"), { thoroughness: "look", privateKey: null });
    examination.close();
    assertEquals([examination.findings.layers, examination.findings.complete], [[], true]);
  });
});

test("writeDump() leaves what exists alone, and nothing behind when it fails", async () => {
  await withFiles({ "vmcore.1": MINIDUMP, there: "precious" }, async (_, path) => {
    const watch = { onCreated: () => {}, onProgress: () => {} };
    const examination = await examine(path("vmcore.1"), { thoroughness: "look", privateKey: null });
    const failure = await writeDump(examination.decrypted!, Infinity, path("there"), watch).catch((e) => e);
    assertEquals(failure instanceof Deno.errors.AlreadyExists, true);
    assertEquals(await Deno.readTextFile(path("there")), "precious");
    const broken = { ...examination.decrypted!, read: () => Promise.reject(new Error("EIO")) };
    await writeDump(broken, Infinity, path("new"), watch).catch(() => {});
    assertEquals(await Deno.stat(path("new")).catch(() => undefined), undefined);
    examination.close();
  });
});

test("readPrivateKey() reads every form that openssl writes, and tells a wrong passphrase", async () => {
  const { right } = await keyPairs();
  await withFiles({}, async (_, path) => {
    const forms: [args: string[], passphrase: string | undefined][] = [
      [["rsa", "-traditional"], undefined],
      [["pkcs8", "-topk8", "-nocrypt"], undefined],
      [["pkcs8", "-topk8", "-passout", "pass:secret"], "secret"],
      [["rsa", "-traditional", "-aes256", "-passout", "pass:secret"], "secret"],
      [["rsa", "-traditional", "-aes128", "-passout", "pass:sécret"], "sécret"],
    ];
    const { pem: expected } = await load(right.pem);
    for (const [args, passphrase] of forms) {
      await openssl([...args, "-in", right.pem, "-out", path("form")]);
      const pem = await Deno.readTextFile(path("form"));
      assertEquals(needsPassphrase(pem), passphrase !== undefined, args.join(" "));
      assertEquals(readPrivateKey(pem, passphrase).pem, expected, args.join(" "));
      if (passphrase !== undefined) {
        assertThrows(() => readPrivateKey(pem, "wrong"), Error, "passphrase is wrong");
      }
    }
  });
});

test("readPrivateKey() says what a file is that is no RSA private key", async () => {
  const { right } = await keyPairs();
  assertThrows(() => readPrivateKey("hello"), Error, "no RSA private key in PEM form");
  const publicPem = await Deno.readTextFile(right.publicPath);
  assertThrows(() => readPrivateKey(publicPem), Error, "this is the public one");
  const damaged = (await Deno.readTextFile(right.pem)).replace(/\n[A-Za-z0-9]{8}/, "\n????????");
  assertThrows(() => readPrivateKey(damaged), Error, "damaged");
  const elliptic = await openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
  assertThrows(() => readPrivateKey(new TextDecoder().decode(elliptic)), Error, "of type ec, expected RSA");
});
