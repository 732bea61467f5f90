// A gateway whose one platform is Teams, played by the double, with its notes on SQLite and its web server at an address
// that stays the same over restarts.
import { join } from "node:path";
import fastify from "fastify";
import { createTeams, type Teams, type TeamsOptions } from "../../src/adapters/teams/index.ts";
import type { Transcriber } from "../../src/core/ports.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createPlatformNotes } from "../../src/storage/platform-notes.ts";
import { startPlatformGateway } from "./platform-gateway.ts";
import type { TeamsDouble } from "./teams-double.ts";

/** A port that is free now, for an address that outlives a gateway. */
export async function freePort(): Promise<number> {
  const probe = fastify();
  const address = await probe.listen({ host: "127.0.0.1", port: 0 });
  await probe.close();
  return Number(new URL(address).port);
}

export async function startTeamsGateway(
  double: TeamsDouble,
  data: string,
  transcriber: Transcriber,
  options: Partial<TeamsOptions> & { readonly port: number },
) {
  const { port, ...own } = options;
  const warned: string[] = [];
  // Beside the queue's database in the same folder: SQLite on disk, as in production.
  const database = openDatabase(join(data, "notes.db"), { now: Date.now });
  let teams: Teams | undefined;
  const gateway = await startPlatformGateway(
    ({ maxBytes, observe, now }) => {
      teams = createTeams({
        app: double.app,
        hosts: double.hosts,
        meetings: { kind: "off" },
        notes: createPlatformNotes(database, "teams"),
        callEveryMs: 2,
        warn: (sentence) => void warned.push(sentence),
        maxBytes,
        observe,
        now,
        ...own,
      });
      return teams.platform;
    },
    data,
    transcriber,
  );
  const web = fastify({ bodyLimit: 1024 ** 2, forceCloseConnections: true });
  for (const plugin of teams?.plugins ?? []) await web.register(plugin);
  double.useEndpoint(`${await web.listen({ host: "127.0.0.1", port })}/api/messages`);
  return {
    ...gateway,
    warned,
    async stop(graceMs: number) {
      await web.close();
      await gateway.stop(graceMs);
      database.close();
    },
  };
}
