/** The status page in a real browser: narrow and wide, dark and light, and by keyboard alone. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { freshPort } from "./addresses.ts";
import { BrowserPage, CHROMIUM } from "./chromium.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

/** Pictures go here, to be looked at. */
const PICTURES = Deno.env.get("NETDUMP_SCREENSHOTS");

const core = dumpBytes(1, 8192);
const header = dumpHeader(core.byteLength);

/** The least contrast of text on the page with what is behind it, by WCAG's formula, and where. */
const LEAST_CONTRAST = `(() => {
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = numbers(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let least = [Infinity, ""];
  for (const element of document.body.querySelectorAll("*")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")) continue;
    const [a, b] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least[0]) least = [contrast, element.outerHTML];
  }
  return least;
})()`;

/** Cells of one short word that stand on two lines. */
const BROKEN_WORDS = `[...document.querySelectorAll("td.word .badge")]
  .filter((word) => word.getClientRects().length > 1).map((word) => word.textContent)`;

/** Cells whose contents reach into others. */
const OVERFLOWING_CELLS = `[...document.querySelectorAll("td, th, main, table")]
  .filter((cell) => cell.scrollWidth > cell.clientWidth + 1 && cell.offsetParent !== null)
  .map((cell) => cell.outerHTML)`;

Deno.test({
  name: CHROMIUM === undefined
    ? "the status page in a browser [skipped: there is no Chromium]"
    : "the status page fits a phone and a desk in both themes, breaks no policy, and is walked by keyboard",
  ignore: CHROMIUM === undefined,
  fn: async () => {
    const port = freshPort();
    const base = `http://127.0.0.1:${port}`;
    await using server = await ServerProcess.start({ args: ["--http", `127.0.0.1:${port}`, "--no-dns"] });
    await using client = new RawClient(server);
    await client.connect();
    await client.dump(core, header);
    await server.event("completed");
    // The longest name that a host can have here.
    const long = `vmcore.${"w".repeat(63)}.0.incomplete`;
    await Deno.writeTextFile(server.path(long), "half a dump");
    // One that runs, of whose end something is known.
    await using running = new RawClient(server);
    await running.connect();
    await running.kdh(
      await running.data(2, core),
      dumpHeader(3 * core.byteLength, { panicString: "x".repeat(180) }),
    );
    await server.event("header", (line) => line.client === running.address);
    await using page = await BrowserPage.open();
    for (const path of ["", "still", `dumps/vmcore.${client.address}.0`, `dumps/${long}`]) {
      for (const width of [320, 400, 950, 970, 1200]) {
        for (const theme of ["dark", "light"] as const) {
          await page.show(`${base}/${path}`, width, theme);
          const where = `/${path} at ${width}, ${theme}`;
          assertEquals(
            await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
            true,
            where,
          );
          assertEquals(await page.evaluate(BROKEN_WORDS), [], where);
          assertEquals(await page.evaluate(OVERFLOWING_CELLS), [], where);
          const [contrast, element] = await page.evaluate<[number, string]>(LEAST_CONTRAST);
          assert(contrast >= 4.5, `${where}: ${contrast} of ${element}`);
          if (PICTURES !== undefined) {
            const name = `${PICTURES}/${
              path === "" ? "status" : path.split("/").at(-1)!.slice(0, 20)
            }-${width}-${theme}.png`;
            await Deno.writeFile(name, await page.screenshot());
          }
        }
      }
    }
    await page.show(`${base}/`, 1200, "light");
    assertMatch(await page.evaluate<string>("document.body.innerText"), /ready: a dump would be taken now/);
    const stop = async () => {
      await page.press("Tab");
      assertEquals(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid");
      return await page.evaluate<string>(
        "document.activeElement.ariaLabel ?? document.activeElement.textContent",
      );
    };
    assertEquals(await stop(), "stop refreshing");
    assertEquals([await stop(), await stop()].sort(), [`vmcore.${client.address}.0`, long].sort());
    await page.show(`${base}/dumps/${long}`, 1200, "light");
    assertEquals([await stop(), await stop()], ["all dumps", "What it says"]);
    // A style that was refused by the policy, or an image that was asked for, would be a complaint.
    assertEquals(page.complaints, []);
  },
});
