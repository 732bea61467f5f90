// How much is taken: the largest and longest recording, and what a person, a channel and a workspace may use up in a day.
import type { SettingsStore } from "./ports.ts";
import type { Place } from "./recording.ts";
import { effectiveSettings, type Settings } from "./settings.ts";

/** What the one who runs the gateway allows at most. A workspace or a channel can only be stricter. */
export interface GatewayLimits {
  readonly bytes: number;
  readonly durationSeconds: number;
  /** Minutes of audio a day; none when left out. */
  readonly minutesPerUser?: number;
  readonly minutesPerChannel?: number;
  readonly minutesPerWorkspace?: number;
  /** Recordings of one person that wait or run at once. */
  readonly jobsPerUser?: number;
}

/** Whose minutes are counted together. "person here": one person's in this channel. */
export type Counted = "person" | "person here" | "channel" | "workspace";

export interface DayLimit {
  readonly of: Counted;
  readonly seconds: number;
  /** Nobody chose it: it keeps one person from using up what all others have. */
  readonly isShare?: true;
}

export interface Allowance {
  readonly days: readonly DayLimit[];
  readonly jobsPerUser?: number;
}

export interface Limits {
  readonly bytes: number;
  readonly durationSeconds: number;
  readonly allowance: Allowance;
}

/** What stood in the way of a recording. */
export type Over =
  | { readonly kind: "minutes"; readonly limit: DayLimit; readonly usedSeconds: number; readonly freeAtMs: number }
  | { readonly kind: "jobs"; readonly waiting: number };

/** Of the minutes that many share, one person gets this part where nobody says what one person may have. */
const SHARE = 0.5;
const DAY_MS = 86_400_000;

/** A day begins at midnight UTC, wherever people are: it is the same for everybody in a workspace. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

export function dayEndsAtMs(day: number): number {
  return (day + 1) * DAY_MS;
}

export async function limitsAt(place: Place, settings: SettingsStore, gateway: GatewayLimits): Promise<Limits> {
  return limitsOf(await settings.workspace(place), await settings.channel(place), gateway, place.isDirect);
}

export function limitsOf(
  workspace: Partial<Settings>,
  channel: Partial<Settings>,
  gateway: GatewayLimits,
  isDirect: boolean,
): Limits {
  const here = effectiveSettings(workspace, channel);
  const perUser = least(gateway.minutesPerUser, workspace.minutesPerUser);
  const perUserHere = least(channel.minutesPerUser);
  const perChannel = least(gateway.minutesPerChannel, here.minutesPerChannel);
  const perWorkspace = least(gateway.minutesPerWorkspace, workspace.minutesPerWorkspace);
  const days: DayLimit[] = [
    ...limit("person", perUser),
    ...limit("person here", perUserHere),
    ...limit("channel", perChannel),
    ...limit("workspace", perWorkspace),
    ...(perUser === undefined ? share("person", perWorkspace) : []),
    ...((perUser ?? perUserHere) === undefined && !isDirect ? share("person here", perChannel) : []),
  ];
  const jobsPerUser = least(gateway.jobsPerUser, here.jobsPerUser);
  return {
    bytes: least(gateway.bytes, here.maxMegabytes && here.maxMegabytes * 1024 ** 2) ?? gateway.bytes,
    durationSeconds: least(gateway.durationSeconds, here.maxMinutes && here.maxMinutes * 60) ?? gateway.durationSeconds,
    allowance: { days, ...(jobsPerUser === undefined ? {} : { jobsPerUser }) },
  };
}

function limit(of: Counted, minutes: number | undefined): DayLimit[] {
  return minutes === undefined ? [] : [{ of, seconds: minutes * 60 }];
}

function share(of: Counted, minutes: number | undefined): DayLimit[] {
  return minutes === undefined ? [] : [{ of, seconds: minutes * 60 * SHARE, isShare: true }];
}

function least(...values: readonly (number | null | undefined)[]): number | undefined {
  const set = values.filter((value) => value !== null && value !== undefined);
  return set.length === 0 ? undefined : Math.min(...set);
}
