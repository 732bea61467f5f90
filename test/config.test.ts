// The configuration: what comes before what, and every problem at once.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configHelp, readConfig } from "../src/config.ts";
import { ConfigError } from "../src/core/errors.ts";

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "earshot-config-"));
});
afterEach(() => rm(cwd, { recursive: true, force: true }));

const read = (flags: string[] = [], env: Record<string, string> = {}) => readConfig({ flags, env, cwd });
const file = (content: unknown) =>
  writeFile(join(cwd, "earshot.config.json"), typeof content === "string" ? content : JSON.stringify(content));

function problems(flags: string[] = [], env: Record<string, string> = {}): readonly string[] {
  try {
    read(flags, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error("There was no problem.");
}

describe("the configuration", () => {
  it("needs nothing", () => {
    const config = read();
    expect(config).toMatchObject({ host: "127.0.0.1", port: 3978, playground: true, model: "auto", device: "auto" });
    expect(config.slack).toBeUndefined();
    expect(Object.isFrozen(config)).toBe(true);
  });

  it("takes a pool of machines in the place of this one, by its address alone", () => {
    expect(read().pool).toBeUndefined();
    const env = { EARSHOT_NATS_CREDS: "gateway.nk", EARSHOT_PARALLEL: "8" };
    expect(read(["--nats", "tls://one:4222,tls://two:4222"], env).pool).toMatchObject({
      nats: { servers: ["tls://one:4222", "tls://two:4222"], credentialsPath: "gateway.nk" },
      replicas: 1,
      parallel: 8,
    });
    expect(read(["--nats", "nats://one:4222", "--transcriber", "local"]).pool).toBeUndefined();
    expect(problems(["--transcriber", "nats"])).toEqual([expect.stringContaining("EARSHOT_NATS is missing")]);
    expect(problems(["--nats", "http://one"])).toEqual([expect.stringContaining("nats://host:4222")]);
    expect(problems(["--nats", "one:4222", "--nats-replicas", "2"])).toEqual([expect.stringContaining("1, 3 or 5")]);
  });

  it("lets the engine choose its way, unless one is set", () => {
    expect(read().way).toBe("auto");
    expect(read([], { EARSHOT_WAY: "batched" }).way).toBe("batched");
    expect(problems(["--way", "fast"])).toEqual([expect.stringMatching(/^--way .*auto.*sequential.*batched/)]);
  });

  it("takes flags before the environment before the file", async () => {
    await file({ port: 1001, model: "tiny", maxMinutes: 10 });
    expect(read(["--port", "1003"], { EARSHOT_PORT: "1002", EARSHOT_MODEL: "base" })).toMatchObject({
      port: 1003,
      model: "base",
      limits: { durationSeconds: 600 },
    });
    expect(read([], { EARSHOT_PORT: "1002" }).port).toBe(1002);
    expect(read(["--port=0"]).port).toBe(0);
    // An empty variable is not set.
    expect(read([], { EARSHOT_PORT: "" }).port).toBe(1001);
  });

  it("says every problem at once, each with the setting to mend", async () => {
    await file({ portt: 1, device: "gpu", logLevel: 3 });
    const found = problems(["--port", "http", "--modle", "tiny", "--threads"], {
      EARSHOT_PLAYGROUND: "perhaps",
      SLACK_APP_TOKEN: "xapp-1",
      DISCORD_TOKEN_FILE: join(cwd, "missing"),
    });
    for (const words of [
      /--port must be a number/,
      /"--modle".*Did you mean --model\?/,
      /--threads needs a value/,
      /"portt".*Did you mean port\?/,
      /device in earshot\.config\.json/,
      /logLevel in earshot\.config\.json/,
      /EARSHOT_PLAYGROUND must be true or false/,
      /SLACK_BOT_TOKEN is missing/,
      /DISCORD_TOKEN_FILE names a file that cannot be read \(ENOENT\)/,
    ]) {
      expect(
        found.filter((problem) => words.test(problem)),
        String(words),
      ).toHaveLength(1);
    }
  });

  it("says what is wrong with the file", async () => {
    await file("{ port: 1");
    expect(problems()).toEqual([expect.stringMatching(/is not JSON/)]);
    await file([1]);
    expect(problems()).toEqual([expect.stringMatching(/one JSON object/)]);
    expect(problems(["--config", "elsewhere.json"])).toEqual([
      expect.stringMatching(/elsewhere\.json cannot be read \(ENOENT\)/),
    ]);
  });

  it("keeps the playground on this machine", () => {
    expect(problems([], { EARSHOT_HOST: "0.0.0.0" })).toEqual([expect.stringMatching(/EARSHOT_PLAYGROUND=false/)]);
    expect(read([], { EARSHOT_HOST: "0.0.0.0", EARSHOT_PLAYGROUND: "false" })).toMatchObject({
      host: "0.0.0.0",
      playground: false,
    });
  });

  it("takes Discord's servers for development", () => {
    expect(read([], { DISCORD_TOKEN: "t", DISCORD_GUILDS: "1,23" }).discord?.guildIds).toEqual(["1", "23"]);
    expect(read([], { DISCORD_TOKEN: "t" }).discord).not.toHaveProperty("guildIds");
    expect(problems([], { DISCORD_TOKEN: "t", DISCORD_GUILDS: "mine" })).toEqual([
      expect.stringMatching(/DISCORD_GUILDS must be ids/),
    ]);
    expect(problems([], { DISCORD_GUILDS: "1" })).toEqual([expect.stringMatching(/DISCORD_TOKEN is missing/)]);
  });

  it("reads what Teams needs, says each part that is missing, and where it is", async () => {
    const id = "5B0C6F3E-71a7-4b61-8f3e-0a5f4b7c9d10";
    const app = { TEAMS_APP_ID: id, TEAMS_APP_PASSWORD: "a-secret-value", TEAMS_TENANT_ID: id };
    expect(read([], app).teams).toMatchObject({
      app: { id: id.toLowerCase(), tenant: id.toLowerCase() },
      cloud: "global",
      meetings: { kind: "off" },
    });
    await writeFile(join(cwd, "password"), "from-a-file\n");
    const filed = { ...app, TEAMS_APP_PASSWORD: "", TEAMS_APP_PASSWORD_FILE: join(cwd, "password") };
    const { teams } = read([], filed);
    expect(teams?.app?.password.reveal()).toBe("from-a-file");
    expect(inspect(teams) + JSON.stringify(teams)).not.toContain("from-a-file");
    expect(configHelp()).not.toContain("--teams-app-password");

    const url = { TEAMS_PUBLIC_URL: "https://earshot.example.com/" };
    expect(read([], { ...app, ...url }).teams).toMatchObject({
      publicUrl: "https://earshot.example.com",
      meetings: { kind: "tenant" },
    });
    const installed = { ...app, ...url, TEAMS_MEETINGS: "installed", TEAMS_CATALOG_APP: id, TEAMS_CLOUD: "gcc-high" };
    expect(read([], installed).teams).toMatchObject({
      cloud: "gcc-high",
      meetings: { kind: "installed", catalogApp: id },
    });

    for (const [env, words] of [
      [{ TEAMS_APP_ID: id }, /TEAMS_APP_PASSWORD is missing.*client secret.*docs\/teams\.md/],
      [{ TEAMS_APP_ID: id }, /TEAMS_TENANT_ID is missing/],
      [{ TEAMS_CLOUD: "china" }, /TEAMS_APP_ID is missing/],
      [{ ...app, TEAMS_APP_ID: "earshot" }, /TEAMS_APP_ID must be an id such as/],
      [{ ...app, TEAMS_CLOUD: "mars" }, /TEAMS_CLOUD/],
      [{ ...app, TEAMS_PUBLIC_URL: "http://earshot.example.com" }, /TEAMS_PUBLIC_URL must be https/],
      [{ ...app, TEAMS_PUBLIC_URL: "https://x.example/api" }, /TEAMS_PUBLIC_URL must be https.*without a path/],
      [{ ...app, ...url, TEAMS_MEETINGS: "installed" }, /TEAMS_CATALOG_APP is missing/],
      [{ ...app, TEAMS_PLAYGROUND: "true" }, /TEAMS_PLAYGROUND.*without the TEAMS_… of a real app/],
      [{ TEAMS_PLAYGROUND: "true", EARSHOT_HOST: "0.0.0.0", EARSHOT_PLAYGROUND: "false" }, /leave EARSHOT_HOST/],
    ] as const) {
      expect(problems([], env).join("\n"), JSON.stringify(env)).toMatch(words);
    }
    expect(read([], { TEAMS_PLAYGROUND: "true" }).teams).toEqual({
      app: undefined,
      cloud: "global",
      meetings: { kind: "off" },
    });
    expect(read().teams).toBeUndefined();
  });

  it("takes secrets from variables and files, never from the command line, and never prints them", async () => {
    await writeFile(join(cwd, "token"), "xoxb-secret\n");
    const config = read([], { SLACK_BOT_TOKEN_FILE: join(cwd, "token"), SLACK_APP_TOKEN: "xapp-secret" });
    expect(config.slack?.botToken.reveal()).toBe("xoxb-secret");
    expect(inspect(config.slack) + JSON.stringify(config.slack) + String(config.slack?.appToken)).not.toContain(
      "-secret",
    );
    expect(problems(["--slack-bot-token", "xoxb-1"])[0]).toContain("does not know");
    expect(configHelp()).toContain("SLACK_BOT_TOKEN");
    expect(configHelp()).not.toContain("--slack");
  });
});
