import { assert, assertEquals } from "@std/assert";
import { STYLE_SHEET } from "../../../../lib/serve/observers/http/style_sheet.ts";

/** What stands on what, and the contrast that WCAG 2.2 AA asks for: 4.5 for text (1.4.3), 3 for pictures and focus (1.4.11). */
const BEHIND = ["bg", "card"];
const TEXT = ["fg", "dim", "good", "bad", "warn", "accent"];
const PICTURES = ["kept", "accent"];
/** Lines between rows say nothing that the rows do not. */
const DECORATION = ["line"];

/** The colours of a theme by their names. */
function colours(block: string): Map<string, string> {
  return new Map(
    [...block.matchAll(/--(\w+): (#[0-9a-f]{3,6});/g)].map(([, name, value]) => [name!, value!]),
  );
}

/** Relative luminance, by WCAG's definition. */
function luminance(colour: string): number {
  const digits = colour.length === 4
    ? [...colour.slice(1)].map((digit) => digit + digit).join("")
    : colour.slice(1);
  const [r, g, b] = [0, 2, 4].map((at) => {
    const channel = parseInt(digits.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light! + 0.05) / (dark! + 0.05);
}

Deno.test("contrast() is WCAG's", () => {
  assertEquals(contrast("#000", "#ffffff"), 21);
  assertEquals(contrast("#777777", "#fff").toFixed(2), "4.48");
});

const [light = "", dark = ""] = [...STYLE_SHEET.matchAll(/:root \{([^}]*)\}/g)].map(([, block]) => block!);

for (const [theme, block] of Object.entries({ light, dark })) {
  Deno.test(`the colours of the ${theme} theme have the contrast that WCAG AA asks for`, () => {
    const theirs = colours(block);
    assertEquals(
      [...theirs.keys()].sort(),
      [...new Set([...BEHIND, ...TEXT, ...PICTURES, ...DECORATION])].sort(),
    );
    for (const behind of BEHIND) {
      for (const [names, least] of [[TEXT, 4.5], [PICTURES, 3]] as const) {
        for (const name of names) {
          const found = contrast(theirs.get(name)!, theirs.get(behind)!);
          assert(found >= least, `--${name} on --${behind}: ${found.toFixed(2)}, less than ${least}`);
        }
      }
    }
    // The two of the disk's picture touch.
    assert(contrast(theirs.get("kept")!, theirs.get("accent")!) >= 1.5);
  });
}

Deno.test("no colour of the style sheet is outside its themes, and what has the focus is outlined", () => {
  const rules = STYLE_SHEET.replaceAll(/:root \{[^}]*\}/g, "");
  assertEquals(rules.match(/#[0-9a-f]{3,6}\b|rgba?\(|hsla?\(/g), null);
  assertEquals(rules.match(/outline: (?!3px solid var\(--accent\))/g), null);
});
