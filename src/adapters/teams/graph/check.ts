// Whether Microsoft takes the app's secret, and which permissions were granted, for `earshot doctor`.
import { PlatformError } from "../../../core/errors.ts";
import type { GraphFinding, MeetingSource } from "./index.ts";
import type { Tokens } from "./tokens.ts";

export interface CheckParts {
  readonly tokens: Tokens;
  readonly meetings: MeetingSource;
  readonly publicUrl: string | undefined;
}

/** Permission, and others that include it -> what does not work without. */
const WANTED: readonly { readonly any: readonly string[]; readonly without: string }[] = [
  {
    any: ["Files.ReadWrite.All", "Sites.ReadWrite.All"],
    without: "files in channels and group chats cannot be fetched, and transcripts are shown in the chat, not as files",
  },
];
const FOR_MEETINGS: typeof WANTED = [
  { any: ["OnlineMeetingRecording.Read.All"], without: "meeting recordings are not heard of" },
  { any: ["OnlineMeetings.Read.All", "OnlineMeetings.ReadWrite.All"], without: "meetings' names are not known" },
];

export async function checkGraph({ tokens, meetings, publicUrl }: CheckParts): Promise<readonly GraphFinding[]> {
  let granted: readonly string[];
  try {
    granted = rolesIn(await tokens.bearer());
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const remedy =
      error.code === "unauthorized"
        ? "correct the settings that it names"
        : "check the network and TEAMS_CLOUD, then run this again";
    return [{ finding: error.message, remedy }];
  }
  const wanted = meetings.kind === "tenant" ? [...WANTED, ...FOR_MEETINGS] : WANTED;
  const missing = wanted.filter(({ any }) => !any.some((name) => granted.includes(name)));
  return [
    { finding: "Microsoft Graph takes the app's secret" },
    ...missing.map(({ any, without }) => ({
      finding: `without ${any[0]}: ${without}`,
      remedy: `grant ${any[0]} under API permissions of the app, as docs/teams.md says, if you want it`,
    })),
    ...(meetings.kind !== "off" && publicUrl === undefined
      ? [
          {
            finding: "no TEAMS_PUBLIC_URL: meeting recordings are looked for every quarter of an hour",
            remedy: "set it",
          },
        ]
      : []),
  ];
}

/** The token is Graph's to read; what it lists is looked at for a diagnosis and for nothing else. */
function rolesIn(token: string): readonly string[] {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    const { roles } = (typeof claims === "object" && claims !== null ? claims : {}) as { roles?: unknown };
    return Array.isArray(roles) ? roles.filter((role) => typeof role === "string") : [];
  } catch {
    return [];
  }
}
