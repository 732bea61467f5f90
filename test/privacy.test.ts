// What the gateway writes anywhere, searched for what must not be there: tokens, file names, what was said; and who may
// read what it keeps.
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ChannelType, MessageFlags } from "discord-api-types/v10";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Secret } from "../src/core/secret.ts";
import { createLog } from "../src/log.ts";
import { startDiscordDouble, TOKEN } from "./support/discord-double.ts";
import { GUILD, PERSON } from "./support/discord-world.ts";
import { answerTo, type Gateway, post, sendRecording, startGateway, until } from "./support/gateway.ts";
import { APP_TOKEN, startSlackDouble, textOf } from "./support/slack-double.ts";
import { BOT, BOT_TOKEN } from "./support/slack-emulator.ts";
import { place } from "./support/stored-transcript.ts";

vi.setConfig({ testTimeout: 120_000 });

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
/** The names of a colleague's file and of a hub's token, which stand nowhere else. */
const FILE_NAME = "severance-talk-zebra";
const HUB_TOKEN = "hf_canary7Qx2Lk9";
const CLOUD_SECRET = "canary/9d8f7a6b5c";
const TOKENS = [BOT_TOKEN, APP_TOKEN, TOKEN, HUB_TOKEN, CLOUD_SECRET];

let folder: string;
let clip: Buffer;
let gateway: Gateway | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-privacy-"));
  clip = await readFile(fileURLToPath(new URL("fixtures/speech/clean_000.flac", import.meta.url)));
});
afterEach(async () => {
  await gateway?.kill("SIGKILL");
  gateway = undefined;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Name -> bytes of every file below a folder. */
async function bytesIn(root: string): Promise<Map<string, Buffer>> {
  const files = await readdir(root, { recursive: true, withFileTypes: true });
  const all = new Map<string, Buffer>();
  for (const file of files.filter((entry) => entry.isFile())) {
    const path = join(file.parentPath, file.name);
    // One that is just being deleted holds nothing.
    all.set(path, await readFile(path).catch(() => Buffer.alloc(0)));
  }
  return all;
}

const readProcess = async (pid: number, file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");

async function below(pid: number): Promise<number[]> {
  const found = (await readProcess(pid, `task/${pid}/children`)).trim().split(/\s+/).filter(Boolean).map(Number);
  return [...found, ...(await Promise.all(found.map(below))).flat()];
}

/** Where any of the words stands. */
function placesOf(words: readonly string[], texts: Iterable<readonly [string, string | Buffer]>): string[] {
  const found: string[] = [];
  for (const [place, text] of texts) {
    for (const word of words) if (text.includes(word)) found.push(`${word} in ${place}`);
  }
  return found;
}

describe("a gateway whose tokens lie in files", () => {
  it("writes them nowhere, in health and in failure, nor what people said and how their files are called", async () => {
    const data = join(folder, "canaries");
    const slack = await startSlackDouble();
    const discord = await startDiscordDouble();
    const channel = discord.world.addChannel(ChannelType.GuildText, { guild: GUILD });
    const fileOf = async (name: string, secret: string) => {
      await writeFile(join(folder, name), `${secret}\n`, { mode: 0o600 });
      return join(folder, name);
    };
    const env = {
      SLACK_BOT_TOKEN_FILE: await fileOf("slack-bot", BOT_TOKEN),
      SLACK_APP_TOKEN_FILE: await fileOf("slack-app", APP_TOKEN),
      DISCORD_TOKEN_FILE: await fileOf("discord", TOKEN),
      HF_TOKEN: HUB_TOKEN,
      AWS_SECRET_ACCESS_KEY: CLOUD_SECRET,
      EARSHOT_LOG_LEVEL: "trace",
    };
    const counterparts = {
      slack: { apiUrl: slack.apiUrl, fileOrigins: [slack.base], postEveryMs: 5 },
      discord: { api: discord.api, cdn: discord.base },
    };
    gateway = await startGateway(data, env, { counterparts });
    const pid = gateway.process.pid ?? 0;

    const on = (ts: string) =>
      slack
        .messages()
        .filter(({ user, thread_ts: thread }) => user === BOT && thread === ts)
        .map(({ blocks }) => textOf(blocks));
    const { ts } = await slack.upload(`audio_message ${FILE_NAME}.flac`, clip);
    await vi.waitFor(() => expect(on(ts).join()).toMatch(/ · /), { timeout: 60_000, interval: 50 });
    const said = on(ts).join().split("\n")[1] ?? "";
    expect(said.length).toBeGreaterThan(10);

    // What fails: a file that is none, a platform that refuses, answers with nonsense or breaks off, in either chat.
    slack.refuse(/chat\.update/, "msg_too_long");
    slack.fail(/files\.info/, 2, "drop");
    slack.fail(/chat\.postMessage/, 1, { body: `<html>${BOT_TOKEN}</html>` });
    const broken = await slack.upload(`audio_message ${FILE_NAME} 2.flac`, Buffer.from(`fLaC ${FILE_NAME}`));
    discord.fail(/POST .*\/messages/, 1, { status: 403, code: 50013, message: `Missing Permissions for ${TOKEN}` });
    discord.fail(/PATCH .*\/messages/, 1, { status: 500, code: 0, message: TOKEN });
    for (const bytes of [clip, Buffer.from("no sound")]) {
      const sound = discord.world.attach(`${FILE_NAME}.flac`, bytes, "audio/flac", discord.base, { duration_secs: 3 });
      discord.say(channel, PERSON, { attachments: [sound], flags: MessageFlags.IsVoiceMessage });
    }
    await vi.waitFor(
      async () => {
        expect(on(broken.ts).join()).toMatch(/could not be transcribed/);
        const metrics = await (await fetch(`${gateway?.url}/metrics`)).text();
        expect(metrics).toMatch(/outcome="failed"} [23]/);
        expect(metrics).toMatch(/earshot_queue_jobs\{state="running"\} 0/);
      },
      { timeout: 90_000, interval: 100 },
    );
    await post(gateway.url, "/api/press", { action: "txt", jobId: `${TOKEN}`, message: "none" });
    await post(gateway.url, "/slack/events", { token: BOT_TOKEN });

    const processes = [pid, ...(await below(pid))];
    expect(processes.length).toBeGreaterThan(1);
    const seen: [string, string | Buffer][] = [["the log", gateway.output()]];
    for (const one of processes) {
      seen.push([`the command line of ${one}`, await readProcess(one, "cmdline")]);
      seen.push([`the name of ${one}`, await readProcess(one, "comm")]);
    }
    for (const path of ["/metrics", "/status", "/healthz", "/api/state"]) {
      seen.push([path, await (await fetch(gateway.url + path)).text()]);
    }
    seen.push(...(await bytesIn(data)));
    // No crash report of Node's, which would hold the environment.
    expect((await readdir(process.cwd())).filter((name) => /^(report\.|core\b)/.test(name))).toEqual([]);
    expect(placesOf(TOKENS, seen)).toEqual([]);
    expect(placesOf(TOKENS.slice(0, 3), [["the environment", await readProcess(pid, "environ")]])).toEqual([]);
    // Those that read strangers' files know none at all.
    for (const one of processes.slice(1)) {
      expect(
        placesOf([...TOKENS, "_FILE="], [[`the environment of ${one}`, await readProcess(one, "environ")]]),
      ).toEqual([]);
    }
    const words = said.split(" ").slice(0, 3).join(" ");
    expect(placesOf([FILE_NAME, words], [["the log", gateway.output()]])).toEqual([]);
    expect(gateway.output()).toContain('"msg":"job_failed"');
    // It is kept where it belongs.
    expect(placesOf([words], await bytesIn(data)).length).toBeGreaterThan(0);

    await gateway.kill("SIGTERM");
    const copy = join(folder, "copy.db");
    const offline =
      'import dns from "node:dns"; dns.lookup = (host, options, done = options) => done(Object.assign(new Error("offline"), { code: "ENOTFOUND" }));';
    const asked = (...argv: string[]) =>
      spawnSync(process.execPath, ["--import", `data:text/javascript,${encodeURIComponent(offline)}`, MAIN, ...argv], {
        encoding: "utf8",
        env: { ...process.env, ...env, EARSHOT_DATA: data },
      });
    for (const argv of [["doctor"], ["backup", copy], ["jobs", "list"], ["audit"]]) {
      const { stdout, stderr } = asked(...argv);
      expect(placesOf(TOKENS, [[argv.join(" "), stdout + stderr]])).toEqual([]);
    }
    expect(placesOf(TOKENS, [["the backup", await readFile(copy)]])).toEqual([]);
    await slack.close();
    await discord.close();
  });
});

describe("what is kept", () => {
  it("is for its user alone, however open the process is to others, and leaves no byte when it is deleted", async () => {
    const data = join(folder, "modes");
    gateway = await startGateway(data, { EARSHOT_LOG_LEVEL: "silent" }, { umask: 0 });
    await post(gateway.url, "/api/channels/standup/samples", { name: "voice-note.ogg" });
    const path = join(folder, `${FILE_NAME}.flac`);
    await writeFile(path, clip);
    const id = await sendRecording(gateway.url, "direct", path);
    const open: string[] = [];
    const look = async () => {
      for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
        const at = join(entry.parentPath, entry.name);
        const mode = await stat(at).then(
          (found) => found.mode & 0o777,
          () => undefined,
        );
        if (mode !== undefined && mode !== (entry.isDirectory() ? 0o700 : 0o600))
          open.push(`${at} ${mode.toString(8)}`);
      }
    };
    const looking = setInterval(look, 5);
    const { text } = await until(gateway.url, answerTo(id));
    clearInterval(looking);
    await look();
    expect((await stat(data)).mode & 0o777).toBe(0o700);
    expect(open).toEqual([]);
    // The copy that was worked on has gone; the chat's own stays until its message is deleted.
    await expect.poll(() => readdir(join(data, "recordings"))).toEqual([]);

    const answer = await until(gateway.url, (messages) =>
      messages.find(({ thread, author }) => thread === id && author === "earshot"),
    );
    for (const message of [answer.id, id]) await fetch(`${gateway.url}/api/messages/${message}`, { method: "DELETE" });
    const gone = text.split(" ").slice(0, 3).join(" ");
    expect(placesOf([gone, FILE_NAME], await bytesIn(data))).toEqual([]);
    // Nor later, when the log is written into the file.
    await gateway.kill("SIGTERM");
    expect(placesOf([gone, FILE_NAME], await bytesIn(data))).toEqual([]);
  });
});

describe("the log", () => {
  const lines: string[] = [];
  const event = (error: unknown) => ({ kind: "unexpected", where: "a test", error }) as const;

  it("blots out a secret wherever it comes from", () => {
    const log = createLog("trace", { write: (line) => lines.push(line) }, { secrets: [new Secret(BOT_TOKEN)] });
    log.warn(`onnxruntime says ${BOT_TOKEN}`);
    log.observe(event(new Error(`request failed: Bearer ${BOT_TOKEN}`)));
    expect(lines.join("")).not.toContain(BOT_TOKEN);
    expect(lines.join("")).toContain("Bearer [secret]");
  });

  it("quotes nothing of what could not be read, and says where", () => {
    const log = createLog("trace", { write: (line) => lines.push(line) });
    lines.length = 0;
    let broken: unknown;
    try {
      JSON.parse("the rollout went well");
    } catch (error) {
      broken = error;
    }
    log.observe(event(broken));
    expect(lines.join("")).not.toContain("rollout");
    expect(lines.join("")).toMatch(/SyntaxError.*privacy\.test/s);
  });

  it("names recordings only when it is set so", () => {
    const recording = { key: "k", place, kind: "audio", name: `${FILE_NAME}.m4a`, source: {} } as const;
    const job = { id: "1f3a9c", attempt: 1, state: "queued", request: {}, addedAtMs: 0, steps: {}, recording } as const;
    for (const names of [false, true]) {
      lines.length = 0;
      createLog("trace", { write: (line) => lines.push(line) }, { names }).observe({ kind: "job_added", job });
      expect(lines.join("").includes(FILE_NAME)).toBe(names);
    }
  });
});
