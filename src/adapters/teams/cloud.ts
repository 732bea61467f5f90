// Where a bot meets Microsoft's clouds: who signs what the Bot Connector sends, and the hosts that take the answers.
import { CLOUDS, type CloudName, type GraphHosts } from "./graph/clouds.ts";

export interface BotHosts extends GraphHosts {
  /** Issuer of the tokens that the Bot Connector sends, and the audience of those that it takes. */
  readonly issuer: string;
  /** OpenID configuration, with the address of the issuer's keys. */
  readonly openId: string;
  /** Origins that a conversation's serviceUrl may have. */
  readonly connectors: readonly string[];
  /** For a conversation that has told no serviceUrl of its own. */
  readonly serviceUrl: string;
}

type Own = Omit<BotHosts, keyof GraphHosts>;

const GOVERNMENT = {
  issuer: "https://api.botframework.us",
  openId: "https://login.botframework.azure.us/v1/.well-known/openidconfiguration",
};

/** Ref: Azure AI Bot Service, "Authenticate requests"; Teams, "Send proactive messages" (well-known service addresses) */
const OWN: Readonly<Record<CloudName, Own>> = {
  global: {
    issuer: "https://api.botframework.com",
    openId: "https://login.botframework.com/v1/.well-known/openidconfiguration",
    connectors: [
      "https://smba.trafficmanager.net",
      "https://smba.onyx.prod.teams.trafficmanager.net",
      "https://smba.infra.gcc.teams.microsoft.com",
    ],
    serviceUrl: "https://smba.trafficmanager.net/teams/",
  },
  "gcc-high": {
    ...GOVERNMENT,
    connectors: ["https://smba.infra.gov.teams.microsoft.us"],
    serviceUrl: "https://smba.infra.gov.teams.microsoft.us/teams/",
  },
  dod: {
    ...GOVERNMENT,
    connectors: ["https://smba.infra.dod.teams.microsoft.us"],
    serviceUrl: "https://smba.infra.dod.teams.microsoft.us/teams/",
  },
  china: {
    issuer: "https://api.botframework.azure.cn",
    openId: "https://login.botframework.azure.cn/v1/.well-known/openidconfiguration",
    connectors: ["https://frontend.botapi.msg.infra.teams.microsoftonline.cn"],
    serviceUrl: "https://frontend.botapi.msg.infra.teams.microsoftonline.cn/",
  },
};

/** @param own hosts of a local counterpart, in tests */
export function botHosts(cloud: CloudName = "global", own: Partial<BotHosts> = {}): BotHosts {
  return { ...CLOUDS[cloud], ...OWN[cloud], ...own };
}

/** Whether an address is at one of the origins; "*." in front of a name stands for any that ends with the rest. */
export function isAt(address: string, origins: readonly string[]): boolean {
  if (!URL.canParse(address)) return false;
  const { origin, protocol, hostname, username, password } = new URL(address);
  if (username !== "" || password !== "") return false;
  return origins.some((allowed) => {
    const [, rest] = /^https:\/\/\*(\.[\w.-]+)$/.exec(allowed) ?? [];
    return rest === undefined
      ? origin === allowed
      : protocol === "https:" && origin === `https://${hostname}` && hostname.endsWith(rest);
  });
}
