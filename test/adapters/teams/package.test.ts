// The app package that goes to Teams: held against Microsoft's own schema, and against what the code relies on.
import { execFile } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { unzipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { COMMAND_NAMES } from "../../../src/core/ports.ts";

const SCRIPT = fileURLToPath(new URL("../../../scripts/teams-package.mjs", import.meta.url));
const ID = "5b0c6f3e-71a7-4b61-8f3e-0a5f4b7c9d10";
const require = createRequire(import.meta.url);

type Json = Record<string, unknown>;

interface Validator {
  validate(schema: unknown, value: unknown): boolean;
  readonly errors: readonly unknown[] | null;
}

async function made(env: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), "earshot-package-"));
  const { PATH = "" } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, folder], { env: { PATH, ...env } });
  const zip = unzipSync(await readFile(join(folder, "earshot-teams.zip")));
  const manifest = JSON.parse(Buffer.from(zip["manifest.json"] ?? []).toString()) as Json;
  return { stdout, zip, manifest };
}

function png(bytes: Uint8Array | undefined) {
  const view = Buffer.from(bytes ?? []);
  expect(view.subarray(1, 4).toString()).toBe("PNG");
  return { width: view.readUInt32BE(16), height: view.readUInt32BE(20), hasAlpha: view[25] === 6 };
}

describe("npm run teams:package", () => {
  it("makes a package that fits Microsoft's schema, with the ids of the environment and both icons", async () => {
    const { stdout, zip, manifest } = await made({
      TEAMS_APP_ID: ID.toUpperCase(),
      TEAMS_ORGANIZATION: 'Contoso "R&D"',
    });
    expect(stdout).toContain("Upload it in Teams");
    expect(Object.keys(zip).sort()).toEqual(["color.png", "manifest.json", "outline.png"]);
    expect(png(zip["color.png"])).toMatchObject({ width: 192, height: 192 });
    expect(png(zip["outline.png"])).toEqual({ width: 32, height: 32, hasAlpha: true });
    expect(JSON.stringify(manifest)).not.toContain("${");
    expect(manifest).toMatchObject({ id: ID, bots: [{ botId: ID }], composeExtensions: [{ botId: ID }] });
    expect(manifest["developer"]).toMatchObject({ name: 'Contoso "R&D"' });

    const version = String(manifest["manifestVersion"]);
    const folder = dirname(require.resolve("@microsoft/app-manifest/package.json"));
    const path = join(folder, `build/json-schemas/teams/v${version}/MicrosoftTeams.schema.json`);
    const Ajv = require("ajv-draft-04").default as new (options: Json) => Validator;
    const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
    const isValid = ajv.validate(JSON.parse(await readFile(path, "utf8")), manifest);
    expect(ajv.errors ?? []).toEqual([]);
    expect(isValid).toBe(true);
  });

  it("asks for what the code uses, and for nothing else", async () => {
    const { manifest } = await made({ TEAMS_APP_ID: ID });
    const [bot] = manifest["bots"] as Json[];
    expect(bot).toMatchObject({ supportsFiles: true, isNotificationOnly: false });
    expect(bot?.["scopes"]).toEqual(["personal", "team", "groupChat"]);
    const [listed] = (bot?.["commandLists"] ?? []) as { commands: { title: string }[] }[];
    expect(listed?.commands).toHaveLength(6);
    for (const { title } of listed?.commands ?? []) expect([...COMMAND_NAMES, "help"]).toContain(title.split(" ")[0]);
    const [{ commands: actions }] = manifest["composeExtensions"] as [{ commands: Json[] }];
    expect(actions).toMatchObject([{ id: "transcribe", type: "action", context: ["message"], fetchTask: true }]);
    const { permissions } = manifest["authorization"] as { permissions: { resourceSpecific: { name: string }[] } };
    expect(permissions.resourceSpecific.map(({ name }) => name).sort()).toEqual([
      ...["ChannelMessage.Read.Group", "ChatMember.Read.Chat", "ChatMessage.Read.Chat"],
      ...["OnlineMeeting.ReadBasic.Chat", "OnlineMeetingRecording.Read.Chat", "TeamMember.Read.Group"],
    ]);
    // Each of them is explained.
    const docs = await readFile(new URL("../../../docs/teams.md", import.meta.url), "utf8");
    for (const { name } of permissions.resourceSpecific) expect(docs).toContain(`\`${name}\``);
  });

  it("is the same each time", async () => {
    const [first, second] = [await made({ TEAMS_APP_ID: ID }), await made({ TEAMS_APP_ID: ID })];
    expect(first.zip).toEqual(second.zip);
  });

  it.each([
    [{}, "TEAMS_APP_ID is missing"],
    [{ TEAMS_APP_ID: "earshot" }, "TEAMS_APP_ID is no id"],
    [{ TEAMS_APP_ID: ID, TEAMS_WEBSITE: "http://x" }, "TEAMS_WEBSITE must begin with https://"],
    [{ TEAMS_APP_ID: ID, TEAMS_ORGANIZATION: "x".repeat(33) }, "TEAMS_ORGANIZATION may have up to 32 signs"],
  ])("says what is missing: %j", async (env, sentence) => {
    await expect(made(env as Record<string, string>)).rejects.toThrow(sentence);
  });
});
