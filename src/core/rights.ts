// Who may change the settings and the glossary of a channel.
import type { Actor, SettingsStore } from "./ports.ts";
import type { Scope } from "./recording.ts";
import { effectiveSettings } from "./settings.ts";

export async function mayEdit(actor: Actor, scope: Scope, settings: SettingsStore): Promise<boolean> {
  const { editors } = effectiveSettings(await settings.workspace(scope), await settings.channel(scope));
  if (actor.isAdmin || editors === "everyone") return true;
  return editors !== "admins" && editors.some((role) => actor.roles.includes(role));
}
