// Settings, glossaries and the chat log, on a real file.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Scope } from "../../src/core/recording.ts";
import { createAudit } from "../../src/storage/audit.ts";
import { createChatLog } from "../../src/storage/chat-log.ts";
import { type Database, openDatabase } from "../../src/storage/database.ts";
import { createGlossaryStore } from "../../src/storage/glossary.ts";
import { createSettingsStore } from "../../src/storage/settings.ts";

const scope: Scope = { platform: "slack", workspace: "T1", channel: "C1" };
const sibling: Scope = { ...scope, channel: "C2" };

let folder: string;
let database: Database;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-stores-"));
  database = openDatabase(join(folder, "earshot.db"), { now: () => 1000 });
});
afterEach(async () => {
  database.close();
  await rm(folder, { recursive: true, force: true });
});

describe("settings", () => {
  it("hold for the channel or the whole workspace, and are taken back with null", async () => {
    const settings = createSettingsStore(database);
    await settings.change(scope, "workspace", { auto: "all", languages: ["de", "en"] }, "U1");
    await settings.change(scope, "channel", { auto: "off", retentionDays: 30 }, "U1");
    expect(await settings.workspace(scope)).toEqual({ auto: "all", languages: ["de", "en"] });
    expect(await settings.channel(scope)).toEqual({ auto: "off", retentionDays: 30 });
    expect(await settings.channel(sibling)).toEqual({});
    expect(await settings.workspace({ ...scope, workspace: "T2" })).toEqual({});
    await settings.change(scope, "channel", { auto: null }, "U2");
    expect(await settings.channel(scope)).toEqual({ retentionDays: 30 });
  });

  it("are audited by name, without values", async () => {
    const settings = createSettingsStore(database);
    await settings.change(scope, "workspace", { editors: ["secret-role"] }, "U1");
    await settings.change(scope, "channel", { auto: null, model: "tiny" }, "U2");
    await settings.change(scope, "channel", {}, "U3");
    const own = { atMs: 1000, platform: "slack", workspace: "T1" };
    expect(createAudit(database).list(10)).toEqual([
      { ...own, channel: "C1", by: "U2", what: "settings: auto taken back, model" },
      { ...own, channel: "", by: "U1", what: "settings: editors" },
    ]);
  });
});

describe("a glossary", () => {
  it("has the channel's terms first, then the workspace's, and the channel's word counts", async () => {
    const glossary = createGlossaryStore(database);
    await glossary.change(
      scope,
      "workspace",
      {
        kind: "add",
        terms: [
          { text: "Kubernetes", soundsLike: ["cooper netties"] },
          { text: "ÉCLAIR", soundsLike: [] },
        ],
      },
      "U1",
    );
    await glossary.change(scope, "workspace", { kind: "prompt", text: "All about boats." }, "U1");
    await glossary.change(
      scope,
      "channel",
      {
        kind: "add",
        terms: [
          { text: "Grafana", soundsLike: [] },
          { text: "éclair", soundsLike: ["a clear"] },
        ],
      },
      "U1",
    );
    await glossary.change(
      scope,
      "channel",
      { kind: "pairs", add: [{ wrong: "Jason", right: "JSON" }], remove: [] },
      "U1",
    );
    expect(await glossary.of(scope)).toEqual({
      terms: [
        { text: "Grafana", soundsLike: [], level: "channel", uses: 0 },
        { text: "éclair", soundsLike: ["a clear"], level: "channel", uses: 0 },
        { text: "Kubernetes", soundsLike: ["cooper netties"], level: "workspace", uses: 0 },
      ],
      pairs: [{ wrong: "Jason", right: "JSON", level: "channel" }],
      prompt: "All about boats.",
    });
    expect((await glossary.of(sibling)).terms.map(({ text }) => text)).toEqual(["Kubernetes", "ÉCLAIR"]);
    expect(await glossary.of({ ...scope, workspace: "T2" })).toEqual({ terms: [], pairs: [], prompt: "" });
  });

  it("tells terms and pairs apart without regard to case, adds sounds, and removes", async () => {
    const glossary = createGlossaryStore(database);
    const change = (one: Parameters<typeof glossary.change>[2]) => glossary.change(scope, "channel", one, "U1");
    await change({ kind: "add", terms: [{ text: "kubernetes", soundsLike: ["cooper netties"] }] });
    await change({ kind: "add", terms: [{ text: "Kubernetes", soundsLike: ["Cooper Netties", "cube"] }] });
    await change({ kind: "pairs", add: [{ wrong: "jason", right: "JSON" }], remove: [] });
    await change({ kind: "pairs", add: [{ wrong: "Jason", right: "json" }], remove: [] });
    await change({ kind: "prompt", text: "Own." });
    expect(await glossary.of(scope)).toEqual({
      terms: [{ text: "Kubernetes", soundsLike: ["Cooper Netties", "cube"], level: "channel", uses: 0 }],
      pairs: [{ wrong: "Jason", right: "json", level: "channel" }],
      prompt: "Own.",
    });
    await change({ kind: "remove", terms: ["KUBERNETES"] });
    await change({ kind: "pairs", add: [], remove: ["JASON"] });
    await change({ kind: "prompt", text: " " });
    expect(await glossary.of(scope)).toEqual({ terms: [], pairs: [], prompt: "" });
  });

  it("counts a use where the term comes from, and audits changes without words", async () => {
    const glossary = createGlossaryStore(database);
    const terms = [{ text: "Grafana", soundsLike: [] }];
    await glossary.change(
      scope,
      "workspace",
      { kind: "add", terms: [...terms, { text: "Loki", soundsLike: [] }] },
      "U1",
    );
    await glossary.change(scope, "channel", { kind: "add", terms }, "U1");
    await glossary.change(scope, "channel", { kind: "used", terms: ["grafana", "Grafana", "loki"] }, "earshot");
    expect((await glossary.of(scope)).terms.map(({ text, uses }) => [text, uses])).toEqual([
      ["Grafana", 1],
      ["Loki", 1],
    ]);
    expect((await glossary.of(sibling)).terms.map(({ text, uses }) => [text, uses])).toEqual([
      ["Grafana", 0],
      ["Loki", 1],
    ]);
    const audit = createAudit(database).list(10);
    expect(audit.map(({ what }) => what)).toEqual(["glossary: terms, 1 added", "glossary: terms, 2 added"]);
  });
});

describe("the chat log", () => {
  const message = { id: "m1", channel: "general", author: "you", createdAtMs: 5, body: { text: "hello" } };

  it("keeps one message for each posting key, and a page catches up by revision", () => {
    const log = createChatLog(database);
    const first = log.put("k1", message);
    expect(first).toEqual({ ...message, revision: 1 });
    expect(log.put("k1", { ...message, id: "other" })).toEqual(first);
    const edited = log.put("k1", { ...message, id: "other", body: { text: "bye" } });
    expect(edited).toMatchObject({ id: "m1", body: { text: "bye" }, revision: 2 });
    const answer = log.put("k2", { ...message, id: "m2", thread: "m1" });
    const elsewhere = log.put("k3", { ...message, id: "m3", channel: "random", createdAtMs: 4 });
    expect(log.since(0, 10)).toEqual([edited, answer, elsewhere]);
    expect(log.since(2, 1)).toEqual([answer]);
    expect(log.since(4, 10)).toEqual([]);
    expect(log.newest(10)).toEqual([elsewhere, edited, answer]);
    expect(log.newest(1)).toEqual([answer]);
    expect(log.edit("m1", "again")).toMatchObject({ revision: 5, body: "again" });
    expect(log.edit("nosuch", 1)).toBeUndefined();
  });

  it("deletes the body for good and says that it is gone", () => {
    const log = createChatLog(database);
    log.put("k1", message);
    const deleted = log.delete("m1");
    expect(deleted).toEqual({ ...message, body: null, deletedAtMs: 1000, revision: 2 });
    expect(log.get("m1")).toEqual(deleted);
    expect(log.delete("m1")).toBeUndefined();
    expect(log.edit("m1", "x")).toBeUndefined();
    // A late repetition does not bring it back.
    expect(log.put("k1", message)).toEqual(deleted);
    expect(log.since(1, 10)).toEqual([deleted]);
  });
});
