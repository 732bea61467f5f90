// A gateway whose one platform is Teams, played by the double, behind the gateway's own web server.
import { createTeams, type Teams, type TeamsOptions } from "../../src/adapters/teams/index.ts";
import type { Transcriber } from "../../src/core/ports.ts";
import { createMetrics } from "../../src/web/metrics.ts";
import { startServer } from "../../src/web/server.ts";
import { startPlatformGateway } from "./platform-gateway.ts";
import type { TeamsDouble } from "./teams-double.ts";

export async function startTeamsGateway(
  double: TeamsDouble,
  data: string,
  transcriber: Transcriber,
  options: Partial<TeamsOptions> & { readonly port?: number } = {},
) {
  const { port = 0, ...own } = options;
  let teams: Teams | undefined;
  const gateway = await startPlatformGateway(
    ({ maxBytes, notes, observe, now }) => {
      teams = createTeams({
        app: double.app,
        hosts: double.hosts,
        meetings: { kind: "off" },
        notes: notes("teams"),
        maxBytes,
        callEveryMs: 2,
        observe,
        now,
        ...own,
      });
      return teams.platform;
    },
    data,
    transcriber,
  );
  const server = await startServer({
    host: "127.0.0.1",
    port,
    metrics: createMetrics(gateway.queue),
    status: () => Promise.reject(new Error("not asked for here")),
    plugins: [],
    signedPlugins: teams?.plugins ?? [],
    observe: (event) => void gateway.observed.push(event),
  });
  double.useEndpoint(`${server.url}/api/messages`);
  return {
    ...gateway,
    url: server.url,
    async stop(graceMs: number) {
      await server.close();
      await gateway.stop(graceMs);
    },
  };
}
