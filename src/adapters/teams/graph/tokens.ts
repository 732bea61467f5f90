// The app's own tokens, by client credentials through msal, which keeps them until shortly before their end.
import { AuthError, ConfidentialClientApplication, type INetworkModule } from "@azure/msal-node";
import { PlatformError } from "../../../core/errors.ts";
import type { GraphHosts } from "./clouds.ts";
import { retryAfterOf } from "./errors.ts";

export interface Tokens {
  /** @param isStale the one before was refused. @throws PlatformError unauthorized, rate_limited, unavailable */
  bearer(isStale?: boolean): Promise<string>;
}

export interface TokenOptions {
  readonly tenant: string;
  readonly appId: string;
  readonly appPassword: string;
  readonly hosts: Pick<GraphHosts, "login">;
  /** Whose API the token is for, such as "https://graph.microsoft.com/.default". */
  readonly scope: string;
}

const SIGN_IN_MS = 20_000;
const DOING = "Microsoft's sign-in";

/** What an operator can do about it, by the number in AADSTS…. Ref: Microsoft Entra, "Authentication error codes" */
const REMEDIES: Readonly<Record<string, string>> = {
  "7000215": "The client secret is wrong. Set TEAMS_APP_PASSWORD to the secret's value, which is not its id.",
  "7000222":
    "The client secret has expired. Make a new one under Certificates & secrets of the app, and set TEAMS_APP_PASSWORD.",
  "700016": "The directory does not know the app. Correct TEAMS_APP_ID, and TEAMS_TENANT_ID with it.",
  "7000112":
    "The app is switched off in the directory. An administrator can switch it on under Enterprise applications.",
  "90002": "There is no such directory. Correct TEAMS_TENANT_ID, and TEAMS_CLOUD where it is a national one.",
  "900023": "TEAMS_TENANT_ID is no directory's id.",
};

export function createTokens({ tenant, appId, appPassword, hosts, scope }: TokenOptions): Tokens {
  const login = new URL(hosts.login);
  const network = createNetwork(login);
  const client = new ConfidentialClientApplication({
    auth: {
      clientId: appId,
      clientSecret: appPassword,
      authority: `https://${login.host}/${tenant}`,
      // Where to sign in is a setting: nobody else is asked for it.
      knownAuthorities: [login.host],
    },
    system: { networkClient: network.module, disableInternalRetries: true },
  });
  const scopes = [scope];
  let asked: Promise<string> | undefined;

  async function acquire(isStale: boolean): Promise<string> {
    try {
      const found = await client.acquireTokenByClientCredential({ scopes, skipCache: isStale });
      if (!found?.accessToken) throw new PlatformError("unavailable", `${DOING} gave no token.`);
      return found.accessToken;
    } catch (error) {
      throw network.failure() ?? asPlatformError(error);
    }
  }

  return {
    bearer(isStale = false) {
      // Five hundred calls at once ask for one token.
      asked ??= acquire(isStale).finally(() => {
        asked = undefined;
      });
      return asked;
    },
  };
}

function asPlatformError(error: unknown): unknown {
  if (!(error instanceof AuthError)) return error;
  // A number in truth, whatever its type says.
  const number = "errorNo" in error && error.errorNo !== undefined ? String(error.errorNo) : "";
  const remedy = REMEDIES[number] ?? "Check TEAMS_APP_ID, TEAMS_APP_PASSWORD and TEAMS_TENANT_ID.";
  const word = number === "" ? error.errorCode : `AADSTS${number}`;
  // msal's own error quotes what was sent: it is not passed on.
  return new PlatformError("unauthorized", `${DOING} refused the app: ${word}. ${remedy}`);
}

/** One that ends in time, follows no redirect and knows afterwards whether there was an answer at all. */
function createNetwork(login: URL): { readonly module: INetworkModule; failure(): PlatformError | undefined } {
  let failed: PlatformError | undefined;

  async function send<T>(method: string, url: string, options: RequestOptions = {}) {
    failed = undefined;
    const target = new URL(url);
    // msal takes https alone; a local counterpart has none.
    if (login.protocol === "http:" && target.host === login.host) target.protocol = "http:";
    let response: Response;
    try {
      response = await fetch(target, {
        method,
        headers: options.headers ?? {},
        ...(options.body === undefined ? {} : { body: options.body }),
        redirect: "error",
        signal: AbortSignal.timeout(SIGN_IN_MS),
      });
    } catch {
      failed = new PlatformError("unavailable", `${DOING} did not answer.`);
      throw failed;
    }
    const text = await response.text();
    if (response.status === 429 || response.status >= 500) {
      const code = response.status === 429 ? "rate_limited" : "unavailable";
      const retryAfterMs = retryAfterOf(response);
      failed = new PlatformError(code, `${DOING} answered ${response.status}.`, {
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      });
      throw failed;
    }
    return { headers: Object.fromEntries(response.headers), body: parsed(text) as T, status: response.status };
  }

  return {
    module: {
      sendGetRequestAsync: (url, options) => send("GET", url, options),
      sendPostRequestAsync: (url, options) => send("POST", url, options),
    },
    failure: () => failed,
  };
}

interface RequestOptions {
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
