// The token that the Bot Connector sends with each activity: checked before botbuilder gets to see it.
//
// botbuilder's own check also takes tokens of its emulator and of other bots, skips the service address where an activity
// has none, keeps the tenant id of every token that it never verified, and answers many forgeries with 500. Here only the
// channel's own issuer passes. Ref: Azure AI Bot Service, "Authenticate requests from the Bot Connector to your bot"
import { decodeProtectedHeader, errors, importJWK, type JWK, jwtVerify } from "jose";

/** Whoever sent it is not the Bot Connector, or means another bot. The message is for the log alone. */
export class BadToken extends Error {
  override readonly name = "BadToken";
}

/** Microsoft's keys could not be fetched, so that nothing can be said about a token. */
export class NoKeys extends Error {
  override readonly name = "NoKeys";
}

export interface TokenOptions {
  readonly appId: string;
  readonly tenant: string;
  readonly issuer: string;
  readonly openId: string;
  readonly now: () => number;
}

export interface TokenCheck {
  /** @param activity what the token has to fit to. @throws BadToken, NoKeys */
  verify(authorization: string, activity: { readonly channelId: string; readonly serviceUrl: string }): Promise<void>;
}

type Key = JWK & { readonly endorsements?: unknown };

const ALGORITHMS = ["RS256", "RS384", "RS512"];
/** Ref: the same page: five minutes of clock skew, keys for 24 hours. */
const CLOCK_SECONDS = 300;
const KEYS_MS = 24 * 3_600_000;
/** A token with an unknown key makes them be fetched anew, but not each one. */
const REFETCH_MS = 5 * 60_000;
const FETCH_MS = 10_000;

export function createTokenCheck({ appId, tenant, issuer, openId, now }: TokenOptions): TokenCheck {
  let keys: readonly Key[] = [];
  let fetchedAtMs = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | undefined;

  async function fetchKeys(): Promise<void> {
    try {
      const { jwks_uri: address } = await fetchJson(openId);
      if (typeof address !== "string" || !isTrustworthy(address, openId)) throw new TypeError("no address of keys");
      const { keys: found } = await fetchJson(address);
      if (!Array.isArray(found)) throw new TypeError("no keys");
      keys = found.filter((key): key is Key => typeof key === "object" && key !== null);
      fetchedAtMs = now();
    } catch (cause) {
      throw new NoKeys("Microsoft's keys for the Bot Connector could not be fetched.", { cause });
    }
  }

  async function keyFor(kid: string): Promise<Key> {
    const find = () => keys.find((key) => key.kid === kid);
    const found = find();
    const ageMs = now() - fetchedAtMs;
    if (ageMs > KEYS_MS || (found === undefined && ageMs > REFETCH_MS)) {
      fetching ??= fetchKeys().finally(() => {
        fetching = undefined;
      });
      // Known keys serve a while longer where Microsoft does not answer.
      await fetching.catch((error: unknown) => {
        if (find() === undefined || ageMs > 2 * KEYS_MS) throw error;
      });
    }
    const key = find();
    if (key === undefined) throw new BadToken("signed with a key that is none of Microsoft's");
    return key;
  }

  async function verified(token: string, channelId: string) {
    const { kid } = decodeProtectedHeader(token);
    if (typeof kid !== "string") throw new BadToken("names no key");
    const { endorsements, ...jwk } = await keyFor(kid);
    if (jwk.kty !== "RSA") throw new BadToken("signed with a key of another kind");
    if (Array.isArray(endorsements) && endorsements.length > 0 && !endorsements.includes(channelId)) {
      throw new BadToken("signed with a key that is not for Teams");
    }
    const { payload } = await jwtVerify(token, (header) => importJWK(jwk, header.alg), {
      algorithms: ALGORITHMS,
      issuer,
      audience: appId,
      clockTolerance: CLOCK_SECONDS,
      currentDate: new Date(now()),
      requiredClaims: ["exp", "aud", "iss"],
    });
    return payload;
  }

  return {
    async verify(authorization, { channelId, serviceUrl }) {
      const [, token] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(authorization) ?? [];
      if (token === undefined) throw new BadToken("no bearer token");
      try {
        const payload = await verified(token, channelId);
        if (payload.aud !== appId) throw new BadToken("for several audiences");
        if (payload["serviceurl"] !== serviceUrl) throw new BadToken("for another service address");
        const { tid } = payload;
        if (tid !== undefined && tid !== tenant) throw new BadToken("of another tenant");
      } catch (error) {
        if (error instanceof BadToken || error instanceof NoKeys) throw error;
        // What jose finds wrong has a code, such as ERR_JWT_EXPIRED; what it cannot even read is a TypeError.
        const why = error instanceof errors.JOSEError ? error.code : "cannot be read";
        throw new BadToken(why, { cause: error });
      }
    },
  };
}

async function fetchJson(address: string): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(address, { redirect: "error", signal: AbortSignal.timeout(FETCH_MS) });
  if (!response.ok) throw new TypeError(`answered ${response.status}`);
  const body: unknown = await response.json();
  if (typeof body !== "object" || body === null) throw new TypeError("no JSON object");
  return body as Readonly<Record<string, unknown>>;
}

/** Over https, or on the local counterpart itself. */
function isTrustworthy(address: string, openId: string): boolean {
  if (!URL.canParse(address)) return false;
  const url = new URL(address);
  return url.protocol === "https:" || url.origin === new URL(openId).origin;
}
