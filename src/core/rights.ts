// Who may change the settings and the glossary of a channel, or of its whole workspace.
import type { Actor, Level, SettingsStore } from "./ports.ts";
import type { Scope } from "./recording.ts";
import { effectiveSettings } from "./settings.ts";

/** A channel that is open to everyone does not open its workspace. */
export async function mayEdit(
  actor: Actor,
  scope: Scope,
  settings: SettingsStore,
  level: Level = "channel",
): Promise<boolean> {
  const own = level === "channel" ? await settings.channel(scope) : {};
  const { editors } = effectiveSettings(await settings.workspace(scope), own);
  if (actor.isAdmin || editors === "everyone") return true;
  return editors !== "admins" && editors.some((role) => actor.roles.includes(role));
}
