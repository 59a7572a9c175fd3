import { assertEquals } from "@std/assert";
import { encodePath, encodeQuery, sha256Hex, signHeaders } from "../../lib/archive/signature.ts";

const CREDENTIALS = {
  accessKey: "AKIAIOSFODNN7EXAMPLE",
  secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  sessionToken: null,
  region: "us-east-1",
};

/** The examples of AWS's own description of the signature. */
const EXAMPLES = [
  {
    path: "/test.txt",
    headers: { range: "bytes=0-9" },
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  },
  {
    path: "/?lifecycle=",
    headers: {},
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  },
  {
    path: `/?${encodeQuery({ prefix: "J", "max-keys": "2" })}`,
    headers: {},
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  },
];

for (const { path, headers, signature } of EXAMPLES) {
  Deno.test(`signHeaders() signs GET ${path} as AWS's example does`, () => {
    const request = {
      method: "GET",
      url: new URL(`https://examplebucket.s3.amazonaws.com${path}`),
      headers,
      payloadSha256: sha256Hex(""),
    };
    const { authorization } = signHeaders(request, CREDENTIALS, Date.UTC(2013, 4, 24));
    assertEquals(authorization?.split("Signature=")[1], signature);
  });
}

Deno.test("encodePath() keeps slashes and encodes what a signature and a URL see differently", () => {
  assertEquals(encodePath("b", "a b/ü+(1)*'!"), "/b/a%20b/%C3%BC%2B%281%29%2A%27%21");
  assertEquals(encodePath("b", ""), "/b");
});
