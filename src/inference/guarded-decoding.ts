// Decodes windows, and those again in which a guard finds a loop or the initial prompt's own words.

import type { GuardNote } from "../core/transcript.ts";
import { compressionRatio, type Model } from "./decoding.ts";
import {
  decodeWithFallback,
  type FallbackOptions,
  type FallbackResult,
  isSilence,
  type Row,
  temperaturesOf,
} from "./fallback.ts";
import type { AudioFeatures } from "./graph.ts";
import { findLoop, type Loop } from "./loops.ts";
import { suspectedLeak, wasSpoken } from "./prompt-leak.ts";

/** A window that may be decoded again with less before it. */
export interface GuardedRow extends Row {
  /** The initial prompt alone, where the row's own has the text so far as well. */
  readonly initialPrompt: readonly number[];
  /** The text so far that stands in the row's prompt: a loop may have begun there. */
  readonly history: readonly number[];
}

/** Without the times, which are the window's. */
export type WindowNote = Omit<GuardNote, "start" | "end">;

export interface GuardedResult extends FallbackResult {
  readonly notes: readonly WindowNote[];
  /** It was cut off at its second round: what follows in the window is to be heard again. */
  readonly wasCut?: true;
}

export interface GuardOptions extends FallbackOptions {
  readonly initialPrompt?: string;
}

/** A loop is decoded hotter than this when it did not come from the text before. */
const LOOP_TEMPERATURE = 0.2;

/** @returns one result for each row; what one window needs is not done to the others */
export async function decodeGuarded(
  model: Model,
  features: AudioFeatures,
  rows: readonly GuardedRow[],
  options: GuardOptions,
): Promise<GuardedResult[]> {
  const results = await decodeWithFallback(model, features, rows, options);
  const notes: WindowNote[][] = results.map(({ rejected }) =>
    rejected ? [{ kind: rejected.kind, text: rejected.text, action: "redecoded" }] : [],
  );
  const ofText = (tokens: readonly number[]) => tokens.filter((token) => token < model.tokenizer.eot);
  const ownLoop = (result: FallbackResult) => findLoop(ofText(result.tokens));

  /** Decodes the rows anew, and takes a result where it is better. */
  async function retry(
    open: readonly number[],
    change: (row: GuardedRow) => Row["decoding"],
    how: FallbackOptions,
    isBetter: (again: FallbackResult, row: number) => boolean,
    kind: GuardNote["kind"],
  ): Promise<void> {
    if (open.length === 0) return;
    const changed = open.map((row) => ({ index: rows[row]!.index, decoding: change(rows[row]!) }));
    const decoded = await decodeWithFallback(model, features, changed, how);
    for (const [k, row] of open.entries()) {
      const again = decoded[k]!;
      if (!isBetter(again, row)) continue;
      const isGone = again.text === "" || isSilence(again, options);
      notes[row]!.push({ kind, text: results[row]!.text, action: isGone ? "dropped" : "redecoded" });
      results[row] = again;
    }
  }
  const all = rows.map((_, row) => row);
  const initialOnly = ({ decoding, initialPrompt }: GuardedRow) => ({ ...decoding, prompt: initialPrompt });
  const hasNoLoop = (again: FallbackResult) => ownLoop(again) === undefined;

  const looping = all.filter((row) => isLooping(ofText(results[row]!.tokens), rows[row]!.history));
  await retry(
    looping.filter((row) => rows[row]!.history.length > 0),
    initialOnly,
    options,
    hasNoLoop,
    "loop",
  );
  const hotter = temperaturesOf(options).filter((temperature) => temperature > LOOP_TEMPERATURE);
  if (hotter.length > 0) {
    const still = looping.filter((row) => ownLoop(results[row]!) !== undefined);
    await retry(still, initialOnly, { ...options, temperature: hotter }, hasNoLoop, "loop");
  }

  const { initialPrompt = "" } = options;
  const leaks = results.map(({ text }) => (initialPrompt === "" ? undefined : suspectedLeak(text, initialPrompt)));
  await retry(
    all.filter((row) => leaks[row] !== undefined),
    ({ decoding }) => ({ ...decoding, prompt: [] }),
    options,
    (again, row) => isSilence(again, options) || !wasSpoken(leaks[row]!, again.text),
    "prompt_leak",
  );

  return results.map((result, row) => {
    const loop = ownLoop(result);
    return loop === undefined ? { ...result, notes: notes[row]! } : cutLoop(model, result, loop, notes[row]!);
  });
}

/** Alone, or together with the text before it. */
function isLooping(text: readonly number[], history: readonly number[]): boolean {
  if (text.length === 0) return false;
  const loop = findLoop([...history, ...text]);
  return (loop !== undefined && loop.end > history.length) || findLoop(text) !== undefined;
}

/** Leaves the first round, with the timestamps up to the second one. */
function cutLoop(
  { tokenizer }: Model,
  result: FallbackResult,
  loop: Loop,
  notes: readonly WindowNote[],
): GuardedResult {
  const positions = result.tokens.flatMap((token, position) => (token < tokenizer.eot ? [position] : []));
  const secondRound = positions[loop.start + loop.period]!;
  const tokens = result.tokens.slice(0, secondRound);
  const text = tokenizer.decode(tokens).trim();
  const lost = tokenizer.decode(result.tokens.slice(secondRound)).trim();
  return {
    ...result,
    tokens,
    text,
    compressionRatio: compressionRatio(text),
    notes: [...notes, { kind: "loop", text: lost, action: "cut" }],
    wasCut: true,
  };
}
