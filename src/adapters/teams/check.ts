// Whether Microsoft takes the app's id and secret, for the Bot Connector and for Graph, and what Graph lets it do.
import { PlatformError } from "../../core/errors.ts";
import type { PlatformNotes } from "../../core/ports.ts";
import { type BotHosts, botHosts } from "./cloud.ts";
import { createGraph } from "./graph/index.ts";
import { createTokens } from "./graph/tokens.ts";
import type { TeamsOptions } from "./index.ts";

export interface TeamsFinding {
  readonly finding: string;
  readonly remedy?: string;
}

type Checked = Required<Pick<TeamsOptions, "app">> & Pick<TeamsOptions, "cloud" | "meetings" | "publicUrl">;

/** @param options `hosts`: those of a local counterpart, in tests */
export async function checkTeams(
  options: Checked & { readonly hosts?: Partial<BotHosts> },
): Promise<readonly TeamsFinding[]> {
  const { app, cloud, meetings, publicUrl } = options;
  if (app === undefined) return [{ finding: "unsigned, for Microsoft's playground on this machine" }];
  const hosts = botHosts(cloud, options.hosts);
  const secrets = { tenant: app.tenant, appId: app.id, appPassword: app.password };
  try {
    await createTokens({ ...secrets, hosts, scope: `${hosts.issuer}/.default` }).bearer();
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const remedy =
      error.code === "unauthorized"
        ? "correct it where the app is registered, at https://entra.microsoft.com, and run this again"
        : "check the network, then run this again";
    return [{ finding: error.message, remedy }];
  }
  const graph = createGraph({
    ...secrets,
    ...(cloud === undefined ? {} : { cloud }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    hosts: { login: hosts.login, graph: hosts.graph, files: hosts.files },
    meetings,
    notes: forNow(),
    maxBytes: 0,
    now: Date.now,
  });
  return [{ finding: `signed in to ${app.tenant} as ${app.id}` }, ...(await graph.check())];
}

/** A check leaves nothing behind. */
function forNow(): PlatformNotes {
  const kept = new Map<string, unknown>();
  return {
    get: async (key) => kept.get(key),
    async put(key, value) {
      kept.set(key, value);
    },
    remove: async (key) => kept.delete(key),
    list: async (prefix) =>
      [...kept].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({ key, value, atMs: 0 })),
  };
}
