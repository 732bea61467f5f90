// The keys of a local OpenID server, and tokens signed with them, good and bad.
import { createHmac, createSign, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";

export type Claims = Record<string, unknown>;

export interface TokenMaker {
  readonly keys: readonly object[];
  /** A token as the Bot Connector sends it, but for what is changed. */
  token(claims?: Claims, how?: How): string;
}

export interface How {
  readonly header?: Claims;
  /** "published": as it should be; "stolen name": another key under the published one's id; … */
  readonly key?: "published" | "other channel" | "unknown" | "stolen name" | "none" | "public key as a secret";
  /** Changes the payload after it was signed. */
  readonly forged?: Claims;
}

/** Made once for a test file: it takes a moment. */
const pairs = {
  published: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "other channel": generateKeyPairSync("rsa", { modulusLength: 2048 }),
  unknown: generateKeyPairSync("rsa", { modulusLength: 2048 }),
};

export function createTokenMaker(defaults: () => Claims): TokenMaker {
  const ids = { published: randomUUID(), "other channel": randomUUID(), unknown: randomUUID() };
  const jwk = (name: "published" | "other channel", endorsements: readonly string[]) => {
    const { n, e } = pairs[name].publicKey.export({ format: "jwk" });
    return { kty: "RSA", use: "sig", kid: ids[name], n, e, endorsements };
  };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const sign = (text: string, key: KeyObject) => createSign("RSA-SHA256").update(text).sign(key).toString("base64url");

  return {
    keys: [jwk("published", ["msteams", "webchat"]), jwk("other channel", ["facebook"])],
    token(claims = {}, { header = {}, key = "published", forged } = {}) {
      const name = key === "other channel" || key === "unknown" ? key : "published";
      const all = { ...defaults(), ...claims };
      const head = part({ alg: "RS256", typ: "JWT", kid: ids[name], ...header });
      const text = `${head}.${part(all)}`;
      const shown = forged === undefined ? text : `${head}.${part({ ...all, ...forged })}`;
      switch (key) {
        case "none":
          return `${shown}.`;
        case "public key as a secret": {
          const pem = pairs.published.publicKey.export({ type: "spki", format: "pem" });
          return `${shown}.${createHmac("sha256", pem).update(text).digest("base64url")}`;
        }
        case "stolen name":
          return `${shown}.${sign(text, pairs.unknown.privateKey)}`;
        default:
          return `${shown}.${sign(text, pairs[name].privateKey)}`;
      }
    },
  };
}
