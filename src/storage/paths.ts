// Where Earshot keeps what it must not lose.
import { homedir } from "node:os";
import { join } from "node:path";

/** EARSHOT_DATA, or the user's data folder, as the XDG base directory specification names it. */
export function dataFolder(env: Readonly<Record<string, string | undefined>>): string {
  const own = env["EARSHOT_DATA"];
  if (own !== undefined && own !== "") return own;
  const shared = env["XDG_DATA_HOME"];
  return join(shared !== undefined && shared !== "" ? shared : join(homedir(), ".local", "share"), "earshot");
}

export function defaultDatabasePath(env: Readonly<Record<string, string | undefined>>): string {
  return join(dataFolder(env), "earshot.db");
}
