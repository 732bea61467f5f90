// One job from its claim to its answer: download, transcribe, reply. What was done is written down before the next step
// begins, so that it can be run again from any point.
import { access, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "./errors.ts";
import { buildPrompt, type Glossary } from "./glossary.ts";
import { type ClaimedJob, type JobSteps, type Plan, SHORT_SECONDS } from "./job.ts";
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
import { outputFile } from "./render/files.ts";
import { applyPairs, termsFound } from "./replacement.ts";
import { effectiveSettings, type Settings } from "./settings.ts";
import type { StatusBoard } from "./status-board.ts";
import type { Segment } from "./transcript.ts";

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
  readonly status: StatusBoard;
  readonly pace: Pace;
  /** Where recordings lie while they are worked on. */
  readonly folder: string;
  readonly limits: { readonly durationSeconds: number };
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
    const audioPath = await downloaded(job, parts, signal);
    stored = await transcribed(job, audioPath, settings, parts, signal);
    await parts.transcripts.save(stored);
    await job.note({ isTranscribed: true, durationSeconds: stored.duration });
  }
  signal.throwIfAborted();
  await answered(job, stored, settings, parts);
  await discardMedia(job.id, parts.folder);
  return stored;
}

/** Deletes what was downloaded for a job. */
export async function discardMedia(jobId: string, folder: string): Promise<void> {
  await rm(mediaPath(jobId, folder), { force: true });
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

async function downloaded(job: NotedJob, parts: RunJobParts, signal: AbortSignal): Promise<string> {
  const known = job.steps.mediaPath;
  if (known !== undefined && (await isThere(known))) return known;
  const path = mediaPath(job.id, parts.folder);
  // An attempt that died left a part of it.
  await rm(path, { force: true });
  await parts.platform(job.recording.place.platform).download(job.recording, path, signal);
  await job.note({ mediaPath: path });
  return path;
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
  parts: RunJobParts,
  signal: AbortSignal,
): Promise<StoredTranscript> {
  const { recording } = job;
  const glossary = await parts.glossary.of(recording.place);
  const { plan, leftOut } = await settledPlan(job, settings, glossary, parts);
  const startedAtMs = parts.now();
  let firstSeconds: number | undefined;
  const { checkpoint } = job.steps;
  const tooLong = new AbortController();
  const result = await transcribeAs(
    recording.name,
    parts.transcriber,
    audioPath,
    {
      ...plan,
      isShort: (recording.durationSeconds ?? Number.POSITIVE_INFINITY) <= SHORT_SECONDS,
      ...(checkpoint === undefined ? {} : { resume: { checkpoint, segments: job.segments } }),
    },
    {
      progress(seconds, duration) {
        if (duration > parts.limits.durationSeconds) {
          const limit = parts.limits.durationSeconds;
          tooLong.abort(new UserError("too_long", messages.tooLong({ name: recording.name, duration, limit })));
        }
        firstSeconds ??= seconds;
        const heard = seconds - firstSeconds;
        const elapsed = (parts.now() - startedAtMs) / 1000;
        const secondsLeft =
          heard > 0 ? (elapsed / heard) * (duration - seconds) : parts.pace.expect(duration - seconds);
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
    },
    AbortSignal.any([signal, tooLong.signal]),
  );
  parts.pace.learn(result.duration - (firstSeconds ?? 0), parts.now() - startedAtMs);
  return stored(job, plan, result, leftOut, glossary, parts);
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
  };
  await job.note({ plan });
  return { plan, leftOut: leftOut.map((term) => term.text) };
}

async function stored(
  job: NotedJob,
  plan: Plan,
  result: TranscriberResult,
  leftOut: readonly string[],
  glossary: Glossary,
  parts: RunJobParts,
): Promise<StoredTranscript> {
  const { model, device, notes, ...heard } = result;
  const transcript = applyPairs(heard, glossary);
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
    const file = outputFile(stored, format, format === "html" ? await playable(job) : undefined);
    const sentFiles = job.steps.sentFiles ?? [];
    if (!answer.fileNames.includes(file.name) || sentFiles.includes(file.name)) continue;
    const posting = { key: `${job.id}:${file.name}`, mayExist: job.attempt > 1 };
    await parts.platform(place.platform).reply(place, { kind: "file", file }, posting);
    await job.note({ sentFiles: [...sentFiles, file.name] });
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
