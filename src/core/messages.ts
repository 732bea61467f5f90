// Every sentence about a recording that a person in the chat can read. Short: it is read on a phone.
import type { PlatformErrorCode } from "./errors.ts";
import type { Counted, DayLimit, Over } from "./limits.ts";
import type { WaitingReason } from "./ports.ts";

interface Named {
  readonly name: string;
}

/** 65 -> "1:05", 3725 -> "1:02:05". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Roughly, as people say it: "10 s", "3 min", "2 h". */
export function roughly(seconds: number): string {
  if (seconds < 10) return `${Math.max(1, Math.ceil(seconds))} s`;
  if (seconds < 90) return `${Math.round(seconds / 5) * 5} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

export function waiting({ name, durationSeconds, ahead }: Named & { durationSeconds?: number; ahead: number }): string {
  const place =
    ahead === 0 ? "it is next" : ahead === 1 ? "one recording is before it" : `${ahead} recordings are before it`;
  return `${named(name, durationSeconds)} is waiting: ${place}.`;
}

/** For those who wait: that nothing is lost, and nothing need be done. */
export function waitingInPool({ name, reason }: Named & { reason: WaitingReason }): string {
  return `${name} is waiting ${WAITING_FOR[reason]}; nothing need be done here.`;
}

const WAITING_FOR: Readonly<Record<WaitingReason, string>> = {
  connection: "until the transcribers can be reached again",
  transcriber: "for a transcriber, of which none is there now",
  turn: "for a free transcriber",
  room: "for its turn: the transcribers have very much to do",
};

export function starting({
  name,
  durationSeconds,
  expectedSeconds,
}: Named & { durationSeconds?: number; expectedSeconds?: number }): string {
  const expected = expectedSeconds === undefined ? "" : `, about ${roughly(expectedSeconds)}`;
  return `Transcribing ${named(name, durationSeconds)}${expected} …`;
}

export function working({
  name,
  durationSeconds,
  progress,
  secondsLeft,
}: Named & { durationSeconds: number; progress: number; secondsLeft?: number }): string {
  const left = secondsLeft === undefined ? "" : `, about ${roughly(secondsLeft)} left`;
  return `Transcribing ${named(name, durationSeconds)}: ${Math.floor(progress * 100)}%${left}`;
}

export function retrying({ name, secondsUntil }: Named & { secondsUntil: number }): string {
  return `${name}: something went wrong, trying again in ${roughly(secondsUntil)}.`;
}

/** @param reason a UserError's own sentence, which already says what to do */
export function failed({
  name,
  jobId,
  reason,
  platformCode,
}: Named & { jobId: string; reason?: string; platformCode?: PlatformErrorCode }): string {
  if (reason !== undefined) return `${name} could not be transcribed. ${reason} (job ${jobId})`;
  if (platformCode !== undefined)
    return `${name} could not be transcribed: ${PLATFORM_REASONS[platformCode]} (job ${jobId})`;
  return (
    `${name} could not be transcribed: something broke on Earshot's side. Try again, or give the one who runs ` +
    `Earshot this number: job ${jobId}.`
  );
}

const PLATFORM_REASONS: Readonly<Record<PlatformErrorCode, string>> = {
  unauthorized: "Earshot may no longer read files here. The one who runs it has to renew its access.",
  forbidden: "Earshot is not allowed to read this file. Invite it to the channel, or send the file to it directly.",
  gone: "the file is not there any more. Send it again.",
  rate_limited: "the chat asked Earshot to slow down for too long. Try again later.",
  unavailable: "the chat did not answer for a long time. Try again later.",
  rejected: "the chat did not take the answer. Ask for a file instead, for example with /transcribe latest txt.",
};

export function cancelled({ name }: Named): string {
  return `${name} was cancelled.`;
}

export function noSpeech({ name, duration }: Named & { duration: number }): string {
  return `No speech found in ${name} (${clock(duration)}).`;
}

/** @param duration left out where nobody knows how long it goes on */
export function tooLong({ name, duration, limit }: Named & { duration?: number; limit: number }): string {
  const most = `at most ${clock(limit)} is taken here. Send it in parts.`;
  return duration === undefined ? `${name} is too long: ${most}` : `${name} is ${clock(duration)} long and ${most}`;
}

export function tooLarge({ name, bytes, limit }: Named & { bytes: number; limit: number }): string {
  const megabytes = (value: number) => `${Math.ceil(value / 1024 ** 2)} MB`;
  return `${name} has ${megabytes(bytes)} and at most ${megabytes(limit)} is taken here. Send the sound alone, or parts of it.`;
}

/** @param seconds length of the recording, where it is known */
export function overQuota(over: Over, nowMs: number, seconds: number | undefined): string {
  if (over.kind === "jobs") {
    const has = over.waiting === 1 ? "One recording of yours is" : `${over.waiting} recordings of yours are`;
    return `${has} still being worked on, and no more are taken at once. Send it again when one is done.`;
  }
  const { limit, usedSeconds, freeAtMs } = over;
  const length = seconds === undefined ? "" : `, and it has ${clock(seconds)}`;
  // One that is longer than a whole day's minutes would be refused again tomorrow.
  const next =
    seconds === undefined || seconds <= limit.seconds
      ? `They are free again at midnight UTC, in ${roughly((freeAtMs - nowMs) / 1000)}.`
      : "Send it in parts, or ask an administrator for more.";
  return `${dayUsed(limit, usedSeconds)}${length}. ${next}`;
}

/** "You have 60 min of audio a day, of which 58 min are used" */
export function dayUsed(limit: DayLimit, usedSeconds: number): string {
  const share = limit.isShare ? " as one person's share" : "";
  const used = usedSeconds === 0 ? "none" : `${Math.ceil(usedSeconds / 60)} min`;
  return `${OWNERS[limit.of]} ${Math.round(limit.seconds / 60)} min of audio a day${share}, of which ${used} are used`;
}

const OWNERS: Readonly<Record<Counted, string>> = {
  person: "You have",
  "person here": "In this channel you have",
  channel: "This channel has",
  workspace: "This workspace has",
};

export function termsLeftOut(terms: readonly string[]): string {
  return `Too many words for the model: it was not told ${terms.join(", ")}. Remove some with /jargon remove.`;
}

export function translationNeedsOther(model: string): string {
  return `The model ${model} cannot translate. Choose another one, for example /transcribe latest medium translate.`;
}

export const nothingToTranscribe =
  "There is no recording here yet. Send one, or link to a message that has one: /transcribe https://…";

export const linkHasNoRecording = "There is no recording in that message, or Earshot cannot see it.";

export function startedJob({ name }: Named, isDuplicate: boolean): string {
  return isDuplicate
    ? `${name} was already taken; its answer is where it was posted.`
    : `Taken: ${name}. The answer comes here.`;
}

export function notAllowed(editors: "admins" | "everyone" | readonly string[]): string {
  const who = editors === "admins" ? "an administrator" : "an administrator, or somebody with the role set for it,";
  return `Only ${who} may change this here. Ask one of them.`;
}

function named(name: string, seconds: number | undefined): string {
  return seconds === undefined ? name : `${name}, ${clock(seconds)}`;
}

export const jobIsGone = "Earshot knows nothing of this recording any more.";

export const jobHasEnded = "It has ended already.";

export const transcriptIsGone = "This transcript was deleted. Send the recording again to get a new one.";

export const notYours = "Only the one who sent it, or somebody who may change the settings here, can do that.";

export function deleted({ name }: Named): string {
  return `The transcript of ${name} was deleted for good. Files that were sent with it are yours to delete.`;
}

export function forgotten({ name }: Named): string {
  return `The transcript of ${name} is deleted for good. What is left of it here in the chat is yours to delete.`;
}

export function tryingAgain({ name }: Named): string {
  return `Hearing ${name} again with the words as they are now.`;
}
