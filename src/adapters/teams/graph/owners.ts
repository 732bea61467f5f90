// Who owns a team: these are its administrators.
import type { Graph } from "./client.ts";
import { isRefused } from "./errors.ts";
import { path } from "./path.ts";
import { TEAM_MEMBERS_READ } from "./permissions.ts";

/** Nobody is an owner by Microsoft's silence. @throws PlatformError rate_limited, unavailable */
export async function ownersOf(team: string, graph: Graph): Promise<readonly string[]> {
  const members = graph.list<{ userId?: string | null; roles?: readonly string[] | null }>({
    path: path`/teams/${team}/members`,
    query: { $top: "999" },
    doing: "who is in a team",
    needs: TEAM_MEMBERS_READ,
  });
  const owners: string[] = [];
  try {
    for await (const { userId, roles } of members) if (userId && roles?.includes("owner")) owners.push(userId);
  } catch (error) {
    if (!isRefused(error, "forbidden", "gone", "rejected")) throw error;
    return [];
  }
  return owners;
}
