// What `earshot doctor` finds out about Teams.
import { expect, it, onTestFinished } from "vitest";
import { checkTeams } from "../../../src/adapters/teams/check.ts";
import { startTeamsDouble } from "../../support/teams-double.ts";

const meetings = { kind: "off" } as const;

async function double(options: Parameters<typeof startTeamsDouble>[0] = {}) {
  const started = await startTeamsDouble(options);
  onTestFinished(() => started.close());
  return started;
}

it("signs in for the bot, and says what Graph was not granted", async () => {
  const { app, hosts } = await double();
  const [signedIn, ...others] = await checkTeams({ app, hosts, meetings });
  expect(signedIn).toEqual({ finding: `signed in to ${app.tenant} as ${app.id}` });
  expect(others.filter(({ remedy }) => remedy !== undefined)).toEqual([]);
  const poor = await double({ graph: { permissions: [] } });
  const found = await checkTeams({ app: poor.app, hosts: poor.hosts, meetings: { kind: "tenant" } });
  expect(found.some(({ remedy }) => remedy !== undefined)).toBe(true);
});

it("says which setting is wrong, and that Microsoft does not answer", async () => {
  const { app, hosts } = await double();
  const [wrong] = await checkTeams({ app: { ...app, password: "wrong" }, hosts, meetings });
  expect(wrong?.finding).toContain("TEAMS_APP_PASSWORD");
  expect(wrong?.remedy).toContain("entra.microsoft.com");
  const [away] = await checkTeams({ app, hosts: { ...hosts, login: "http://127.0.0.1:9" }, meetings });
  expect(away).toMatchObject({ remedy: "check the network, then run this again" });
  expect(JSON.stringify([wrong, away])).not.toContain(app.password);
});

it("knows the playground, which signs nothing", async () => {
  expect(await checkTeams({ app: undefined, meetings })).toMatchObject([
    { finding: expect.stringContaining("playground") },
  ]);
});
