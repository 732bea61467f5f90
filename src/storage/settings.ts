// The settings of workspaces and channels: only what somebody chose is kept.
import type { SettingsStore } from "../core/ports.ts";
import type { Scope } from "../core/recording.ts";
import type { Settings } from "../core/settings.ts";
import { createAudit } from "./audit.ts";
import type { Database } from "./database.ts";

export function createSettingsStore(database: Database): SettingsStore {
  const audit = createAudit(database);
  const select = database.prepare<[string, string, string], { choices: string }>(
    "SELECT choices FROM settings WHERE platform = ? AND workspace = ? AND channel = ?",
  );
  const replace = database.prepare<[string, string, string, string]>(
    "INSERT OR REPLACE INTO settings (platform, workspace, channel, choices) VALUES (?, ?, ?, ?)",
  );

  function choices({ platform, workspace, channel }: Scope): Partial<Settings> {
    const row = database.read(() => select.get(platform, workspace, channel));
    return row === undefined ? {} : JSON.parse(row.choices);
  }

  return {
    async workspace(scope) {
      return choices({ ...scope, channel: "" });
    },
    async channel(scope) {
      return choices(scope);
    },
    async change(scope, level, change, by) {
      const owner = { ...scope, channel: level === "workspace" ? "" : scope.channel };
      const { platform, workspace, channel } = owner;
      const changed = Object.entries(change).filter(([, value]) => value !== undefined);
      if (changed.length === 0) return;
      database.write(() => {
        const next = Object.entries({ ...choices(owner), ...Object.fromEntries(changed) });
        const kept = Object.fromEntries(next.filter(([, value]) => value !== null));
        replace.run(platform, workspace, channel, JSON.stringify(kept));
        const names = changed.map(([name, value]) => (value === null ? `${name} taken back` : name));
        audit.write({ by, platform, workspace, channel, what: `settings: ${names.join(", ")}` });
      });
    },
  };
}
