// What workspaces and channels have chosen, one row a choice.
import { z } from "zod";
import type { SettingsStore } from "../core/ports.ts";
import { FORMATS, type Settings } from "../core/settings.ts";
import { writeAudit } from "./audit.ts";
import type { Database } from "./database.ts";
import { statements } from "./statements.ts";

/** A row that an older or newer Earshot wrote in another form is left out, and the wider choice holds. */
const VALUES = {
  auto: z.enum(["off", "voice", "all"]),
  languages: z.array(z.string()),
  model: z.string(),
  translate: z.boolean(),
  timestamps: z.boolean(),
  reply: z.enum(["thread", "channel", "only_me", "direct"]),
  formats: z.array(z.enum(FORMATS)),
  retentionDays: z.number().positive().nullable(),
  editors: z.union([z.literal("admins"), z.literal("everyone"), z.array(z.string())]),
  verbatim: z.boolean(),
} satisfies Record<keyof Settings, z.ZodType>;

/** Stands for the workspace itself in the column of channels. */
export const WORKSPACE = "";

export function createSettingsStore(database: Database, now: () => number): SettingsStore {
  const prepare = statements(database);

  function read(platform: string, workspace: string, channel: string): Partial<Settings> {
    const rows = prepare<{ name: string; value: string }>(
      "SELECT name, value FROM settings WHERE platform = ? AND workspace = ? AND channel = ?",
    ).all(platform, workspace, channel);
    const settings: Record<string, unknown> = {};
    for (const { name, value } of rows) {
      const parsed = isSetting(name) ? VALUES[name].safeParse(JSON.parse(value)) : undefined;
      if (parsed?.success) settings[name] = parsed.data;
    }
    return settings;
  }

  const change = database.transaction((...[scope, level, changes, by]: Parameters<SettingsStore["change"]>) => {
    const channel = level === "workspace" ? WORKSPACE : scope.channel;
    for (const [name, value] of Object.entries(changes)) {
      const key = [scope.platform, scope.workspace, channel, name];
      if (value === undefined) continue;

      if (value === null) {
        prepare("DELETE FROM settings WHERE platform = ? AND workspace = ? AND channel = ? AND name = ?").run(...key);
      } else {
        prepare(
          `INSERT INTO settings (platform, workspace, channel, name, value) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET value = excluded.value`,
        ).run(...key, JSON.stringify(value));
      }
      writeAudit(prepare, { atMs: now(), actor: by, scope: { ...scope, channel }, deed: `settings ${name}` });
    }
  });

  return {
    workspace: async ({ platform, workspace }) => read(platform, workspace, WORKSPACE),
    channel: async ({ platform, workspace, channel }) => read(platform, workspace, channel),
    change: async (...args) => change.immediate(...args),
  };
}

function isSetting(name: string): name is keyof Settings {
  return Object.hasOwn(VALUES, name);
}
