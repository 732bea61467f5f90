// The engine is killed at random points of a long recording, and goes on each time: the transcript is that of an
// undisturbed run. EARSHOT_ENGINE_KILLS sets how often, EARSHOT_KILL_MINUTES how long the recording is.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TranscriberOptions, TranscriberResult } from "../../src/core/ports.ts";
import type { Segment, Way } from "../../src/core/transcript.ts";
import { createLocalTranscriber } from "../../src/inference/local-transcriber.ts";
import { seededRandom } from "../../src/inference/random.ts";
import { keeping, never } from "../contracts/transcriber.ts";
import { engineChildren } from "../support/engine-children.ts";
import { ffmpeg } from "../support/recordings.ts";

const KILLS = Number(process.env["EARSHOT_ENGINE_KILLS"] ?? 2);
const MINUTES = Number(process.env["EARSHOT_KILL_MINUTES"] ?? 2);

let folder: string;
let recording: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-kills-"));
  recording = join(folder, "long.flac");
  const sample = (name: string) => fileURLToPath(new URL(`../../models/demo/${name}`, import.meta.url));
  // Meetings with hum between them.
  ffmpeg(
    ...["-stream_loop", "-1", "-i", sample("sample/meeting.flac")],
    ...["-stream_loop", "-1", "-i", sample("eval/nospeech_003.flac")],
    "-filter_complex",
    "[0:a]atrim=0:50,asetpts=N/SR/TB[a];[1:a]atrim=0:7,asetpts=N/SR/TB[b];[a][b]concat=n=2:v=0:a=1,aloop=-1:size=16000*57[c]",
    ...["-map", "[c]", "-t", String(MINUTES * 60), recording],
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Kept {
  readonly segments: readonly Segment[];
  readonly checkpoint: unknown;
}

describe.each<Way>(["sequential", "batched"])("an engine that is killed while it works %s", (way) => {
  const options: TranscriberOptions = {
    model: "demo",
    task: "transcribe",
    language: "en",
    initialPrompt: "Glossary: Qavylow, Xamoetee.",
    isShort: false,
    way,
  };
  const resumeFrom = (windows: readonly Kept[]) =>
    windows.length === 0
      ? {}
      : { resume: { checkpoint: windows.at(-1)?.checkpoint, segments: windows.flatMap(({ segments }) => segments) } };

  /** Goes on from the windows that are kept, and adds to them. */
  async function attempt(
    windows: Kept[],
    killAfter: number | undefined,
    delayMs: number,
  ): Promise<TranscriberResult | "killed"> {
    const transcriber = createLocalTranscriber({ device: "cpu", threads: 1, log: () => {} });
    const on = keeping();
    let timer: NodeJS.Timeout | undefined;
    let isKilled = false;
    const killSoon = () => {
      timer = setTimeout(() => {
        isKilled = true;
        for (const pid of engineChildren()) process.kill(pid, "SIGKILL");
      }, delayMs);
    };
    try {
      if (killAfter === windows.length) killSoon();
      return await transcriber.transcribe(
        recording,
        { ...options, ...resumeFrom(windows) },
        {
          progress: () => {},
          async window(segments, checkpoint) {
            await on.window(segments, checkpoint);
            windows.push(on.windows.at(-1)!);
            if (windows.length === killAfter) killSoon();
          },
        },
        never(),
      );
    } catch (error) {
      if (!isKilled) throw error;
      return "killed";
    } finally {
      clearTimeout(timer);
      await transcriber.close();
    }
  }

  it(`${KILLS} times gives the transcript of an undisturbed run`, { timeout: 4 * 3_600_000 }, async () => {
    const undisturbed: Kept[] = [];
    const startedAt = performance.now();
    const whole = await attempt(undisturbed, undefined, 0);
    const windowMs = (performance.now() - startedAt) / undisturbed.length;

    const random = seededRandom(way.length);
    const points = Array.from({ length: KILLS }, () => Math.floor(random() * undisturbed.length)).sort((a, b) => a - b);
    const windows: Kept[] = [];
    let kills = 0;
    for (const point of points) {
      // While it reads the recording, or while it decodes the window after this one.
      const outcome = await attempt(windows, Math.max(point, windows.length), random() * windowMs);
      if (outcome === "killed") kills++;
    }
    const result = await attempt(windows, undefined, 0);
    expect(kills).toBeGreaterThanOrEqual(KILLS - 1);
    expect(result).toEqual(whole);
    expect(windows).toEqual(undisturbed);
  });
});
