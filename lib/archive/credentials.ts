/**
 * Who asks a store: from the environment that AWS's programs know, or from a file in their form. What is secret is in no message.
 *
 * @module
 */
import type { Credentials } from "./signature.ts";

/** Environment variables that say where a store is and who asks it. */
export const STORE_VARIABLES = [
  "AWS_ACCESS_KEY_ID",
  "AWS_ENDPOINT_URL",
  "AWS_REGION",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
] as const;

/** Values of {@linkcode STORE_VARIABLES}. */
export type StoreVariables = Readonly<Partial<Record<typeof STORE_VARIABLES[number], string>>>;

/**
 * Variables from the text of a file: lines `aws_access_key_id = ...`, in any case; headings in brackets and comments do not count.
 *
 * @throws {SyntaxError} naming the line, not what stands there
 */
export function parseCredentials(text: string): StoreVariables {
  const variables: Record<string, string> = {};
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#") || trimmed.startsWith("[")) continue;
    const at = trimmed.indexOf("=");
    const name = trimmed.slice(0, Math.max(0, at)).trim().toUpperCase();
    const value = trimmed.slice(at + 1).trim();
    const known = STORE_VARIABLES.find((variable) => variable === name);
    if (known === undefined || value === "") {
      throw new SyntaxError(`line ${index + 1} is none of ${STORE_VARIABLES.join(", ")} with a value`);
    }
    variables[known] = value;
  }
  return variables;
}

/**
 * Credentials out of variables.
 *
 * @throws {SyntaxError} naming what is missing
 */
export function credentialsOf(variables: StoreVariables): Credentials {
  const { AWS_ACCESS_KEY_ID: accessKey = "", AWS_SECRET_ACCESS_KEY: secretKey = "" } = variables;
  if (accessKey === "") throw new SyntaxError("AWS_ACCESS_KEY_ID is missing");
  if (secretKey === "") throw new SyntaxError("AWS_SECRET_ACCESS_KEY is missing");
  for (const value of [accessKey, secretKey, variables.AWS_SESSION_TOKEN ?? ""]) {
    if (!/^[\x21-\x7e]*$/.test(value)) throw new SyntaxError("a key has characters that no key has");
  }
  return {
    accessKey,
    secretKey,
    sessionToken: variables.AWS_SESSION_TOKEN || null,
    region: variables.AWS_REGION || "us-east-1",
  };
}

/** The endpoint of AWS itself for a region. */
export function defaultEndpoint(region: string): string {
  return `https://s3.${region}.amazonaws.com`;
}

/**
 * Scheme, host and port of a URL.
 *
 * @throws {SyntaxError} if it has more, or is none
 */
export function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && ["http:", "https:"].includes(url.protocol) && url.pathname === "/" &&
    url.search === "" && url.hash === "" && url.username === "" && url.password === "";
  if (!isPlain) {
    throw new SyntaxError("a URL without path, such as https://s3.example.org or http://192.0.2.1:9000");
  }
  return url.origin;
}
