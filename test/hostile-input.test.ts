// Whatever comes in from outside: each parser gives a value or a sentence, in time, and nothing that it makes leads out of
// its bounds.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import fastify from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as discord from "../src/adapters/discord/parse.ts";
import { readButtonId } from "../src/adapters/discord/render.ts";
import { readButton } from "../src/adapters/slack/blocks.ts";
import { createHttpReceiver, EVENTS_PATH } from "../src/adapters/slack/http.ts";
import { keyOf, marked } from "../src/adapters/slack/mark.ts";
import * as slack from "../src/adapters/slack/parse.ts";
import { readConfig } from "../src/config.ts";
import { exportGlossary, importGlossary } from "../src/core/commands/glossary-text.ts";
import { ConfigError, UserError } from "../src/core/errors.ts";
import { ACTION_NAMES, COMMAND_NAMES } from "../src/core/ports.ts";
import type { Place } from "../src/core/recording.ts";
import { type RunningPlayground, startPlayground } from "./support/playground.ts";
import { signed } from "./support/slack-double.ts";

const PIECES = [
  ...["<@U0BOT>", "<@U0BOT|earshot>", "<https://x.slack.com/archives/C1/p1700000000000100|a>", "<mailto:a|b>", "&lt;"],
  ...["<@900000000000000002>", "https://discord.com/channels/1/2/3", "/transcribe", "jargon", "earshot:txt:1f3a9c"],
  ...["audio_message", ".m4a", ".mp3", "audio/", "video/mp4", "\0", "\n", " ", "\ud800", "\u202e", "=", "->", '"', "“"],
  ...["prompt:", "#", ",", "--workspace", "../", "__proto__", "constructor", "toString"],
] as const;
const text = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: "binary", maxLength: 8 })), { maxLength: 10 })
  .map((parts) => parts.join(""));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
/** Any JSON, with keys that mean something to JavaScript among them. */
const json = fc.json({ depthSize: "small" }).map((source): unknown => JSON.parse(source));

const place: Place = {
  ...{ platform: "slack", workspace: "T1", channel: "C1", isDirect: false, message: "1.1", user: "U1" },
  reach: "thread",
};

/** Some way of growth that is not felt: a hundred thousand signs take no second. */
function inTime(work: (long: string) => unknown): void {
  for (const piece of [...PIECES, "<http://", "<@", "a.", "`", "(", "\\"]) {
    const began = performance.now();
    work(piece.repeat(Math.ceil(40_000 / piece.length)));
    expect(performance.now() - began, JSON.stringify(piece)).toBeLessThan(2000);
  }
}

describe("a message of Slack's", () => {
  const file = fc.record(
    {
      ...{ id: text, name: fc.option(text), title: fc.option(text), mimetype: text, filetype: text, subtype: text },
      ...{
        size: fc.double(),
        duration_ms: fc.double(),
        mode: fc.constantFrom("hosted", "tombstone", "x"),
        file_access: text,
      },
      shares: json.filter((value): value is object => typeof value === "object" && value !== null),
    },
    { requiredKeys: ["id"] },
  );
  const message = fc.record(
    {
      ...{ ts: text, thread_ts: text, text, user: text, files: fc.array(file), blocks: fc.array(json) },
      attachments: fc.array(fc.record({ files: maybe(fc.array(file)) }, { requiredKeys: [] })),
    },
    { requiredKeys: [] },
  );

  it("gives its recordings, whatever it holds", () => {
    fc.assert(
      fc.property(message, fc.boolean(), (parsed, isAsked) => {
        const told = parsed as slack.SlackMessage;
        const where = slack.placeOf(told, { platform: "slack", workspace: "T1", channel: "C1", isDirect: false });
        const files = slack.filesOf(told);
        expect(new Set(files.map(({ id }) => id)).size).toBe(files.length);
        for (const each of files) {
          slack.isUnknown(each);
          const recording = slack.recordingOf(each, where, isAsked);
          if (recording === undefined) continue;
          expect(recording.name).not.toBe("");
          expect(recording.source).toEqual({ file: each.id, channel: "C1", message: where.message ?? "" });
        }
        keyOf(told);
      }),
      { numRuns: 150 },
    );
  });

  it("is read for what it asks, for links, buttons and marks, in time", () => {
    fc.assert(
      fc.property(text, text, fc.boolean(), (said, other, hasRecording) => {
        expect(COMMAND_NAMES).toContain(slack.askedIn(said, "U0BOT", hasRecording).command);
        const link = slack.readMessageLink(said);
        if (link !== undefined) expect(link.message).toMatch(/^\d{10}\.\d{6}$/);
        const button = readButton(said, other);
        if (button !== undefined) expect(ACTION_NAMES).toContain(button.action);
        const key = `${said || "k"}:status`;
        const blocks = marked([{ type: "divider" }], key);
        if (!/[\n\r\u2028\u2029]/.test(key)) expect(keyOf({ blocks })).toBe(key);
      }),
    );
    inTime((long) => slack.askedIn(long, "U0BOT", false));
    inTime((long) => slack.readMessageLink(long));
    inTime((long) => slack.recordingOf({ id: "F1", name: long, title: long }, place, true));
  });
});

describe("a message of Discord's", () => {
  it("is read for what it asks, for links and buttons, in time", () => {
    const asked = (content: string, isDirect: boolean) =>
      discord.askedIn({ author: {}, content, attachments: [] } as never, "900000000000000002", isDirect);
    fc.assert(
      fc.property(text, fc.boolean(), (content, isDirect) => {
        const found = asked(content, isDirect);
        if (found !== undefined) expect(COMMAND_NAMES).toContain(found.command);
        const link = discord.readMessageLink(content);
        if (link !== undefined) expect(link.message).toMatch(/^\d+$/);
        const button = readButtonId(content);
        if (button !== undefined) expect(ACTION_NAMES).toContain(button.action);
      }),
    );
    inTime((long) => asked(long, true));
    inTime((long) => discord.readMessageLink(long));
    inTime((long) => readButtonId(long));
  });
});

describe("a glossary as text", () => {
  it("is read or refused with a sentence, in time; what was read comes out and in again the same", () => {
    const read = (source: string) => {
      try {
        return importGlossary(source);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
        return undefined;
      }
    };
    fc.assert(
      fc.property(text, (source) => {
        const entries = read(source);
        if (entries === undefined) return;
        const glossary = {
          terms: entries.terms.map((term) => ({ ...term, level: "channel" as const, uses: 0 })),
          pairs: entries.pairs.map((pair) => ({ ...pair, level: "channel" as const })),
          prompt: entries.prompt ?? "",
        };
        const again = read(exportGlossary(glossary));
        expect(again?.pairs).toEqual(entries.pairs);
        expect(again?.terms.map((term) => term.text)).toEqual(entries.terms.map((term) => term.text));
      }),
      { numRuns: 150 },
    );
    inTime((long) => read(long));
  });
});

describe("settings", () => {
  const folder = mkdtempSync(join(tmpdir(), "earshot-hostile-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Every problem is a sentence; anything else is a bug. */
  function configOf(flags: readonly string[], env: Record<string, string>) {
    try {
      return readConfig({ flags, env, cwd: folder });
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      for (const problem of (error as ConfigError).problems) expect(problem).toMatch(/\S[.)]$/);
      return undefined;
    }
  }

  const names = [
    ...[
      "port",
      "host",
      "maxMinutes",
      "maxMegabytes",
      "minutesPerUser",
      "jobsPerUser",
      "playground",
      "logLevel",
      "data",
    ],
    ...["slackBotToken", "discordToken", "device", "model", "__proto__", "constructor", "prot"],
  ] as const;

  it("in a file are taken or told, and never a default in silence for what was written", () => {
    const path = join(folder, "earshot.config.json");
    fc.assert(
      fc.property(
        fc.oneof(
          json.map((value) => JSON.stringify(value)),
          text,
          fc.dictionary(fc.constantFrom(...names), json).map((value) => JSON.stringify(value)),
        ),
        (source) => {
          writeFileSync(path, source);
          const config = configOf([], {});
          if (config === undefined) return;
          const written = JSON.parse(source) as Record<string, unknown>;
          if (typeof written["port"] === "number") expect(config.port).toBe(written["port"]);
          if (typeof written["maxMinutes"] === "number")
            expect(config.limits.durationSeconds).toBe(written["maxMinutes"] * 60);
        },
      ),
      { numRuns: 150 },
    );
    rmSync(path, { force: true });
  });

  it("in flags and variables are taken or told", () => {
    const flags = fc.array(
      fc.oneof(text, fc.constantFrom("--port", "--port=1", "--host", "--max-minutes", "--config", "--")),
      { maxLength: 5 },
    );
    const env = fc.dictionary(
      fc.constantFrom(
        "EARSHOT_PORT",
        "EARSHOT_MAX_MINUTES",
        "SLACK_BOT_TOKEN_FILE",
        "DISCORD_GUILDS",
        "EARSHOT_MINUTES_PER_USER",
      ),
      text,
    );
    fc.assert(
      fc.property(
        flags,
        env,
        (argv, variables) =>
          void configOf(
            argv.map((word) => word.replaceAll("\0", "")),
            variables,
          ),
      ),
      { numRuns: 150 },
    );
  });
});

describe("HTTP bodies", () => {
  const bodies = fc.oneof(
    text,
    fc.json(),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  );
  const types = fc.constantFrom(
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "image/png",
    "",
  );
  let playground: RunningPlayground;
  beforeAll(async () => {
    playground = await startPlayground();
    await playground.platform.listen(
      {
        recording: async () => ({ kind: "ignored" }),
        command: async () => ({ kind: "words", text: "Taken." }),
        press: async () => undefined,
        removed: async () => {},
        channel: async () => {
          throw new UserError("not_found", "There is no such channel.");
        },
      },
      new AbortController().signal,
    );
  });
  afterAll(() => playground.close());

  it("at the playground are taken or refused with a sentence, and are never a fault inside", async () => {
    const paths = fc.constantFrom(
      ...["/api/channels/standup/messages", "/api/channels/standup/commands", "/api/channels/x/messages", "/api/press"],
      ...[
        "/api/channels/direct/recordings",
        "/api/channels/direct/samples",
        "/api/messages/none/forward",
        "/api/messages/%00/transcribe",
      ],
      ...["/api/messages/..%2f..%2fearshot.db/files/x", "/media/..%2fearshot.db", "/%ff"],
    );
    await fc.assert(
      fc.asyncProperty(
        paths,
        fc.constantFrom("GET", "POST", "DELETE"),
        types,
        bodies,
        async (path, method, type, body) => {
          const response = await fetch(playground.url + path, {
            method,
            ...(method === "GET" ? {} : { body, headers: type === "" ? {} : { "content-type": type } }),
          });
          const said = await response.text();
          expect(response.status, said).toBeLessThan(500);
          expect(said).not.toContain("SQLite format 3");
          if (response.status >= 400) expect(JSON.parse(said)).toHaveProperty("message");
        },
      ),
      { numRuns: 200 },
    );
  }, 60_000);

  it("in Slack's place are refused without its signature, and with it are never a fault inside", async () => {
    const signingSecret = "8f742231b10e8888abcd99yyyzzz85a5";
    const { plugin } = createHttpReceiver({ signingSecret, observe: () => {}, now: Date.now });
    const app = fastify();
    await app.register(plugin);
    await fc.assert(
      fc.asyncProperty(types, bodies, fc.boolean(), async (type, body, isSigned) => {
        const response = await app.inject({
          method: "POST",
          url: EVENTS_PATH,
          payload: body,
          headers: { "content-type": type || "text/plain", ...(isSigned ? signed(body) : {}) },
        });
        // Nobody listens yet: 503 is what Slack is told then, and it tries again.
        expect(isSigned ? [200, 400, 401, 503] : [400, 401]).toContain(response.statusCode);
      }),
      { numRuns: 150 },
    );
    await app.close();
  });
});
