// One job from its claim to its answer: download, transcribe, reply. What was done is written down before the next step
// begins, so that it can be run again from any point.
import { access, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { InferenceError, UserError } from "./errors.ts";
import { finishedTranscript } from "./finished-transcript.ts";
import { buildPrompt, type Glossary } from "./glossary.ts";
import { type ClaimedJob, type JobSteps, type Plan, SHORT_SECONDS } from "./job.ts";
import { type GatewayLimits, type Limits, limitsAt } from "./limits.ts";
import * as messages from "./messages.ts";
import type { Pace } from "./pace.ts";
import type {
  GlossaryStore,
  JobQueue,
  Platform,
  PromptTokens,
  SettingsStore,
  StoredTranscript,
  Transcriber,
  TranscriberResult,
  TranscriptStore,
} from "./ports.ts";
import type { PlatformName } from "./recording.ts";
import { answerReply } from "./render/answer.ts";
import { outputFiles } from "./render/files.ts";
import { termsFound } from "./replacement.ts";
import { effectiveSettings, type Settings } from "./settings.ts";
import type { StatusBoard } from "./status-board.ts";
import { createTimeLeft } from "./time-left.ts";
import type { Segment, Way } from "./transcript.ts";

export interface RunJobParts {
  readonly queue: JobQueue;
  readonly platform: (name: PlatformName) => Platform;
  readonly transcriber: Transcriber;
  readonly transcripts: TranscriptStore;
  readonly settings: SettingsStore;
  readonly glossary: GlossaryStore;
  readonly tokens: (model: string) => PromptTokens;
  /** What serves channels that chose no model. */
  readonly model: string;
  /** How recordings are gone through; the engine chooses when this is left out. */
  readonly way?: Way;
  readonly status: StatusBoard;
  readonly pace: Pace;
  /** Where recordings lie while they are worked on. */
  readonly folder: string;
  readonly limits: GatewayLimits;
  readonly now: () => number;
}

/** Another worker has the job, or it was cancelled: nothing more may be written for it. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** @throws LeaseLost, PlatformError, UserError, InferenceError; the signal's reason when aborted */
export async function runJob(claimed: ClaimedJob, parts: RunJobParts, signal: AbortSignal): Promise<StoredTranscript> {
  const job = withNotes(claimed, parts.queue);
  const settings = await settingsOf(job, parts);
  await parts.status.post(job, startingStatus(job, parts.pace));

  let stored = job.steps.isTranscribed ? await parts.transcripts.get(job.id) : undefined;
  if (stored === undefined) {
    const limits = await limitsAt(job.recording.place, parts.settings, parts.limits);
    const audioPath = await downloaded(job, limits, parts, signal);
    stored = await transcribed(job, audioPath, settings, limits, parts, signal);
    await parts.transcripts.save(stored);
    await job.note({ isTranscribed: true, durationSeconds: stored.duration });
    // However long the answer may take: only a page that plays the recording still needs it.
    if (!settings.formats.includes("html")) await discardMedia(job.id, parts.folder);
  }
  signal.throwIfAborted();
  await answered(job, stored, settings, parts);
  await discardMedia(job.id, parts.folder);
  return stored;
}

/** Deletes what was downloaded for a job, whole or in part. */
export async function discardMedia(jobId: string, folder: string): Promise<void> {
  const path = mediaPath(jobId, folder);
  for (const file of [path, `${path}.part`]) await rm(file, { force: true });
}

/** A claimed job whose notes reach the queue first and are fenced by its lease. */
interface NotedJob extends ClaimedJob {
  note(steps: JobSteps): Promise<void>;
  append(segments: readonly Segment[], checkpoint: unknown): Promise<void>;
}

function withNotes(claimed: ClaimedJob, queue: JobQueue): NotedJob {
  let steps = claimed.steps;
  return {
    ...claimed,
    get steps() {
      return steps;
    },
    async note(more) {
      if (!(await queue.note(claimed, more))) throw new LeaseLost(claimed.id);
      steps = { ...steps, ...more };
    },
    async append(segments, checkpoint) {
      if (!(await queue.append(claimed, segments, checkpoint))) throw new LeaseLost(claimed.id);
    },
  };
}

async function settingsOf({ recording, request }: ClaimedJob, parts: RunJobParts): Promise<Settings> {
  const { place } = recording;
  const chosen = effectiveSettings(await parts.settings.workspace(place), await parts.settings.channel(place));
  return {
    ...chosen,
    ...(request.model === undefined ? {} : { model: request.model }),
    ...(request.language === undefined ? {} : { languages: [request.language] }),
    ...(request.translate === undefined ? {} : { translate: request.translate }),
    ...(request.formats === undefined ? {} : { formats: request.formats }),
  };
}

async function downloaded(job: NotedJob, limits: Limits, parts: RunJobParts, signal: AbortSignal): Promise<string> {
  const known = job.steps.mediaPath;
  if (known !== undefined && (await isThere(known))) return known;
  const path = mediaPath(job.id, parts.folder);
  // An attempt that died left a part of it.
  await discardMedia(job.id, parts.folder);
  try {
    await parts.platform(job.recording.place.platform).download(job.recording, path, signal);
    const { size: bytes } = await stat(path);
    const { name } = job.recording;
    if (bytes > limits.bytes) {
      throw new UserError("too_large", messages.tooLarge({ name, bytes, limit: limits.bytes }));
    }
  } catch (error) {
    await discardMedia(job.id, parts.folder);
    throw isDiskFull(error) ? diskFull(parts.folder, error) : error;
  }
  await job.note({ mediaPath: path });
  return path;
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOSPC", "EDQUOT", "EFBIG"].includes(String(error.code));
}

function diskFull(folder: string, cause: unknown): InferenceError {
  const sentence = `The disk is full: a recording found no room in ${folder}. Make room; Earshot then goes on by itself.`;
  return new InferenceError("disk_full", sentence, { cause });
}

function mediaPath(jobId: string, folder: string): string {
  return join(folder, `${jobId}.media`);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function transcribed(
  job: NotedJob,
  audioPath: string,
  settings: Settings,
  limits: Limits,
  parts: RunJobParts,
  signal: AbortSignal,
): Promise<StoredTranscript> {
  const { recording } = job;
  const glossary = await parts.glossary.of(recording.place);
  const { plan, leftOut } = await settledPlan(job, settings, glossary, parts);
  const startedAtMs = parts.now();
  let firstSeconds: number | undefined;
  const timeLeft = createTimeLeft(parts.now);
  const { checkpoint } = job.steps;
  const refused = new AbortController();
  let measured: Promise<void> | undefined;
  const result = await transcribeAs(
    recording.name,
    parts.transcriber,
    audioPath,
    {
      ...plan,
      wordTimes: true,
      key: job.id,
      isShort: (recording.durationSeconds ?? Number.POSITIVE_INFINITY) <= SHORT_SECONDS,
      maxSeconds: limits.durationSeconds,
      ...(checkpoint === undefined ? {} : { resume: { checkpoint, segments: job.segments } }),
    },
    {
      progress(seconds, duration, work = { done: seconds, total: duration }) {
        measured ??= measure(job, duration, limits, parts).catch((error: unknown) => refused.abort(error));
        firstSeconds ??= seconds;
        const secondsLeft = timeLeft.update(work.done, work.total) ?? parts.pace.expect(duration - seconds);
        const progress = duration > 0 ? Math.min(1, seconds / duration) : 0;
        const text = messages.working({
          name: recording.name,
          durationSeconds: duration,
          progress,
          ...(secondsLeft === undefined ? {} : { secondsLeft }),
        });
        parts.status.update(job, { kind: "status", text, progress, actions: [cancelAction(job.id)] });
      },
      window: (segments, next) => job.append(segments, next),
      waiting(reason) {
        const text = messages.waitingInPool({ name: recording.name, reason });
        parts.status.update(job, { kind: "status", text, actions: [cancelAction(job.id)] });
      },
    },
    AbortSignal.any([signal, refused.signal]),
  );
  await measured;
  refused.signal.throwIfAborted();
  parts.pace.learn(result.duration - (firstSeconds ?? 0), parts.now() - startedAtMs);
  return stored(job, plan, result, leftOut, settings, glossary, parts);
}

/** Its real length, which only the decoder knows, against what is taken here. @throws UserError too_long, over_quota */
async function measure(job: NotedJob, duration: number, limits: Limits, parts: RunJobParts): Promise<void> {
  const { durationSeconds: limit, allowance } = limits;
  const { name } = job.recording;
  if (duration > limit) throw new UserError("too_long", messages.tooLong({ name, duration, limit }));
  const over = await parts.queue.measure(job, duration, allowance);
  if (over !== undefined) throw new UserError("over_quota", messages.overQuota(over, parts.now(), duration));
}

async function settledPlan(
  job: NotedJob,
  settings: Settings,
  glossary: Glossary,
  parts: RunJobParts,
): Promise<{ plan: Plan; leftOut: readonly string[] }> {
  if (job.steps.plan !== undefined) return { plan: job.steps.plan, leftOut: [] };
  const { text, leftOut } = await buildPrompt(glossary, settings, parts.tokens(settings.model));
  const [language, ...others] = settings.languages;
  const plan: Plan = {
    model: settings.model === "auto" ? parts.model : settings.model,
    task: settings.translate ? "translate" : "transcribe",
    initialPrompt: text,
    ...(language === undefined || others.length > 0 ? {} : { language }),
    ...(others.length === 0 ? {} : { allowedLanguages: settings.languages }),
    ...(language === undefined ? { usualLanguages: await parts.transcripts.usualLanguages(job.recording.place) } : {}),
    ...(settings.mixed && (language === undefined || others.length > 0) ? { languagePerWindow: true } : {}),
    speakerTracks: settings.tracks,
    ...(parts.way === undefined ? {} : { way: parts.way }),
  };
  await job.note({ plan });
  return { plan, leftOut: leftOut.map((term) => term.text) };
}

async function stored(
  job: NotedJob,
  plan: Plan,
  result: TranscriberResult,
  leftOut: readonly string[],
  settings: Settings,
  glossary: Glossary,
  parts: RunJobParts,
): Promise<StoredTranscript> {
  const { model, device, notes, ...heard } = result;
  const { verbatim, chapters } = settings;
  const transcript = finishedTranscript(heard, { verbatim, chapters, glossary, task: plan.task });
  const used = termsFound(transcript, glossary);
  if (used.length > 0) await parts.glossary.change(job.recording.place, "channel", { kind: "used", terms: used }, "");
  const createdAtMs = parts.now();
  return {
    ...transcript,
    jobId: job.id,
    recording: job.recording,
    plan,
    model,
    device,
    createdAtMs,
    waitMs: createdAtMs - job.addedAtMs,
    notes: leftOut.length === 0 ? notes : [...notes, messages.termsLeftOut(leftOut)],
  };
}

async function answered(
  job: NotedJob,
  stored: StoredTranscript,
  settings: Settings,
  parts: RunJobParts,
): Promise<void> {
  const { compareWith, formats: asked, wantsFiles = asked !== undefined } = job.request;
  const earlier = compareWith === undefined ? undefined : await parts.transcripts.get(compareWith);
  const answer = answerReply(stored, settings, {
    ...(earlier === undefined ? {} : { earlier }),
    wantsFiles,
  });
  if (!job.steps.isAnswered) {
    await parts.status.conclude(job, answer);
    await job.note({ isAnswered: true });
  }
  const { place } = job.recording;
  for (const format of settings.formats) {
    for (const file of outputFiles(stored, format, format === "html" ? await playable(job) : undefined)) {
      const sentFiles = job.steps.sentFiles ?? [];
      if (!answer.fileNames.includes(file.name) || sentFiles.includes(file.name)) continue;
      const posting = { key: `${job.id}:${file.name}`, mayExist: job.attempt > 1 };
      await parts.platform(place.platform).reply(place, { kind: "file", file }, posting);
      await job.note({ sentFiles: [...sentFiles, file.name] });
    }
  }
}

/** People know a recording by its name, not by where it lies on this machine. */
async function transcribeAs(
  name: string,
  transcriber: Transcriber,
  ...[path, ...rest]: Parameters<Transcriber["transcribe"]>
): Promise<TranscriberResult> {
  try {
    return await transcriber.transcribe(path, ...rest);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.code, error.message.replaceAll(path, name), { cause: error });
  }
}

/** Recordings up to this size are put into the HTML transcript, so that it can play them. */
const EMBED_BYTES = 4_000_000;

async function playable({ steps, recording }: NotedJob) {
  const { mediaPath: path } = steps;
  if (path === undefined || !(await isThere(path)) || (await stat(path)).size > EMBED_BYTES) return undefined;
  return { mimeType: recording.mimeType ?? "audio/mpeg", bytes: await readFile(path) };
}

function startingStatus({ id, recording }: ClaimedJob, pace: Pace) {
  const { name, durationSeconds } = recording;
  const expectedSeconds = durationSeconds === undefined ? undefined : pace.expect(durationSeconds);
  const text = messages.starting({
    name,
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
    ...(expectedSeconds === undefined ? {} : { expectedSeconds }),
  });
  return { kind: "status", text, actions: [cancelAction(id)] } as const;
}

export function cancelAction(jobId: string) {
  return { name: "cancel", label: "Cancel", jobId } as const;
}
