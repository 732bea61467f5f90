// Who may change the settings and the glossary of a channel, or of its whole workspace.
import type { Actor, Level, SettingsStore } from "./ports.ts";
import type { Place, Scope } from "./recording.ts";
import { effectiveSettings } from "./settings.ts";

/** What stands for the workspace of direct messages where people have none in common. */
const NO_WORKSPACE = "@me";

/**
 * A channel that is open to everyone does not open its workspace. A direct chat is the person's own, and what holds in all
 * direct chats of strangers is nobody's to change.
 */
export async function mayEdit(
  actor: Actor,
  scope: Scope & Partial<Pick<Place, "isDirect">>,
  settings: SettingsStore,
  level: Level = "channel",
): Promise<boolean> {
  if (scope.workspace === NO_WORKSPACE) return level === "channel";
  if (scope.isDirect) return actor.isAdmin || level === "channel";
  const own = level === "channel" ? await settings.channel(scope) : {};
  const { editors } = effectiveSettings(await settings.workspace(scope), own);
  if (actor.isAdmin || editors === "everyone") return true;
  return editors !== "admins" && editors.some((role) => actor.roles.includes(role));
}
