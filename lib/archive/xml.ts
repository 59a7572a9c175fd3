/**
 * The little of XML that a store's answers are made of: elements with text, no attributes that matter, no declarations.
 *
 * @module
 */
const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

/** What stands in each element of a name, as it is written; elements of one name do not nest. */
export function elements(xml: string, name: string): string[] {
  const found: string[] = [];
  const end = `</${name}>`;
  let at = 0;
  while (true) {
    const start = xml.indexOf(`<${name}>`, at);
    if (start < 0) return found;
    const from = start + name.length + 2;
    const to = xml.indexOf(end, from);
    if (to < 0) return found;
    found.push(xml.slice(from, to));
    at = to + end.length;
  }
}

/** Text of the first element of a name; `undefined` if there is none. */
export function elementText(xml: string, name: string): string | undefined {
  const [first] = elements(xml, name);
  return first?.replaceAll(
    /&(?:lt|gt|quot|apos|amp|#\d{1,7}|#x[0-9a-fA-F]{1,6});/g,
    (entity) => ENTITIES[entity] ?? character(entity),
  );
}

/** A text as it is written in an element. */
export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function character(entity: string): string {
  const code = entity[2] === "x" ? Number.parseInt(entity.slice(3), 16) : Number(entity.slice(2, -1));
  return code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
}
