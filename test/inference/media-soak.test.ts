// Damaged and forged recordings through the real decoding: each gives samples or one sentence, in time, and leaves nothing.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { decodeAudio } from "../../src/inference/audio.ts";
import { type Mutant, makeCorpus, mutant, type Sample } from "../support/mutations.ts";
import { ffmpegs } from "../support/recordings.ts";

// Ten thousand take half an hour: `npm run soak` asks for them.
const FILES = Number(process.env["EARSHOT_SOAK_FILES"] ?? 150);
const FIRST = Number(process.env["EARSHOT_SOAK_FIRST"] ?? 0);
const LANES = 2;
/** A tenth of a second each on a quiet machine; beyond this it hangs. */
const HANGS_MS = 60_000;

vi.setConfig({ testTimeout: 600_000 + FILES * 1000 });

let folder: string;
let work: string;
let corpus: Sample[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-soak-"));
  work = join(folder, "work");
  for (const name of ["corpus", "work"]) mkdirSync(join(folder, name));
  corpus = makeCorpus(join(folder, "corpus"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ending {
  readonly outcome: string;
  readonly ms: number;
  /** What is not an ending that users can be told. */
  readonly wrong?: string;
  readonly crash?: string;
}

async function decode({ name, bytes }: Mutant): Promise<Ending> {
  const path = join(work, name);
  writeFileSync(path, bytes);
  const startedAt = performance.now();
  const ms = () => Math.round(performance.now() - startedAt);
  try {
    for await (const chunk of decodeAudio(path, { maxSeconds: 600 })) {
      if (chunk.some((sample) => !(sample >= -1 && sample < 1))) return { outcome: "noise", ms: ms(), wrong: "noise" };
    }
    return { outcome: "samples", ms: ms() };
  } catch (error) {
    const isTold = error instanceof UserError && /^[^\n]+\.$/.test(error.message) && error.message.includes(path);
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : "";
    return {
      outcome: error instanceof UserError ? error.code : String(error),
      ms: ms(),
      ...(isTold ? {} : { wrong: String(error) }),
      ...(/crashed/.test(cause) && { crash: cause.slice(0, 200) }),
    };
  } finally {
    rmSync(path);
  }
}

test(`${FILES} of them`, async () => {
  const endings: (Ending & { readonly of: Mutant })[] = [];
  let next = FIRST;
  const startedAt = performance.now();
  const lane = async () => {
    while (next < FIRST + FILES) {
      const of = mutant(next++, corpus);
      endings.push({ ...(await decode(of)), of });
      if (endings.length % 500 === 0) console.log(figures(endings, startedAt));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  console.log(figures(endings, startedAt));

  const named = (some: typeof endings) => some.map(({ of, ms, wrong }) => `${of.number} ${of.mutation} ${ms} ${wrong}`);
  expect(named(endings.filter(({ wrong }) => wrong !== undefined))).toEqual([]);
  expect(named(endings.filter(({ ms }) => ms > HANGS_MS))).toEqual([]);
  expect(new Set(endings.map(({ outcome }) => outcome))).toContain("samples");
  expect(new Set(endings.map(({ outcome }) => outcome))).toContain("unreadable");
  expect(readdirSync(work)).toEqual([]);
  expect(readdirSync(folder).sort()).toEqual(["corpus", "work"]);
  await vi.waitFor(() => expect(ffmpegs()).toEqual([]));
});

function figures(endings: readonly (Ending & { readonly of: Mutant })[], startedAt: number): string {
  const outcomes = [...new Set(endings.map(({ outcome }) => outcome))];
  const counts = outcomes.map((one) => `${endings.filter(({ outcome }) => outcome === one).length} ${one}`);
  const times = endings.map(({ ms }) => ms).sort((a, b) => a - b);
  const crashes = endings.filter(({ crash }) => crash !== undefined).map(({ of, crash }) => `${of.number}: ${crash}`);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return [
    `${endings.length} files in ${Math.round((performance.now() - startedAt) / 1000)} s: ${counts.join(", ")};`,
    `${at(0.5)} ms the median, ${at(0.99)} ms the 99th of a hundred, ${times.at(-1)} ms the longest;`,
    `ffmpeg crashed ${crashes.length} times ${crashes.join("; ")}`,
  ].join(" ");
}
