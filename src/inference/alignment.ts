// Word times from the decoder's cross-attention and dynamic time warping. Ref: openai/whisper timing.py.

import { UserError } from "../core/errors.ts";
import { TOKENS_PER_SECOND } from "./audio.ts";
import type { Model } from "./decoding.ts";
import { dtw, medianFilter } from "./dtw.ts";
import type { AudioFeatures } from "./graph.ts";
import { logSumExp } from "./logit-filters.ts";
import type { Draft, DraftWord } from "./segments.ts";
import type { Task } from "./tokenizer.ts";

/** A model whose heads of cross-attention follow the words are known. */
export interface AlignableModel extends Model {
  /** Pairs of decoder layer and head. */
  readonly alignmentHeads: readonly (readonly [number, number])[];
}

export interface AlignmentOptions {
  readonly language: string;
  readonly task: Task;
  /** Marks that belong to the word after them, and to the word before them. */
  readonly prependPunctuations: string;
  readonly appendPunctuations: string;
}

/** A word of a window; the times are seconds from the window's start. */
interface WordTiming {
  word: string;
  tokens: readonly number[];
  start: number;
  end: number;
  readonly probability: number;
}

const MEDIAN_FILTER_WIDTH = 7;
const SENTENCE_END_MARKS = ".。!！?？";

/** @throws UserError bad_option: the model's graphs do not give their attentions */
export async function requireAttentions(model: Model): Promise<void> {
  if (await model.graph.givesAttentions()) return;
  throw new UserError(
    "bad_option",
    "This model's files cannot give word times. Use a model whose name ends in _timestamped, or leave out word_timestamps.",
  );
}

/**
 * Adds `words` to the segments of window `index` of the features, and draws the segments' times in to their words.
 * @param numFrames frames of the window that hold audio
 * @param lastSpeechTimestamp where speech last ended before this window, in seconds of the recording
 */
export async function addWordTimestamps(
  segments: readonly Draft[],
  model: AlignableModel,
  features: AudioFeatures,
  index: number,
  numFrames: number,
  timeOffset: number,
  lastSpeechTimestamp: number,
  options: AlignmentOptions,
): Promise<void> {
  if (segments.length === 0) return;
  const tokensPerSegment = segments.map(({ tokens }) => tokens.filter((token) => token < model.tokenizer.eot));
  const alignment = await findAlignment(model, features, index, tokensPerSegment.flat(), numFrames, options);
  const medianDuration = Math.min(0.7, median(alignment.map(({ start, end }) => end - start).filter((s) => s !== 0)));
  const maxDuration = medianDuration * 2;
  shortenAtSentenceEnds(alignment, maxDuration);
  mergePunctuations(alignment, options.prependPunctuations, options.appendPunctuations);

  let next = 0;
  let lastSpeech = lastSpeechTimestamp;
  segments.forEach((segment, i) => {
    const words: DraftWord[] = [];
    for (let saved = 0; next < alignment.length && saved < tokensPerSegment[i]!.length; next++) {
      const timing = alignment[next]!;
      if (timing.word) {
        words.push({
          word: timing.word,
          start: roundToHundredths(timeOffset + timing.start),
          end: roundToHundredths(timeOffset + timing.end),
          probability: timing.probability,
        });
      }
      saved += timing.tokens.length;
    }
    if (words.length > 0) {
      fitToSegment(words, segment, lastSpeech, medianDuration);
      lastSpeech = segment.end;
    }
    segment.words = words;
  });
}

async function findAlignment(
  model: AlignableModel,
  features: AudioFeatures,
  index: number,
  textTokens: readonly number[],
  numFrames: number,
  options: AlignmentOptions,
): Promise<WordTiming[]> {
  if (textTokens.length === 0) return [];
  const { tokenizer, graph } = model;
  const sot = tokenizer.sotSequence(options.language, options.task);
  const tokens = [...sot, tokenizer.noTimestamps, ...textTokens, tokenizer.eot];
  const { logits, attentions } = await graph.align(features, index, tokens, model.alignmentHeads);

  const probabilities = textTokens.map((token, i) => {
    const row = logits.at(0, sot.length + i).subarray(0, tokenizer.eot);
    return Math.exp(row[token]! - logSumExp(row));
  });

  const nFrames = Math.floor(numFrames / 2);
  const matrix = meanOfHeads(attentions, tokens.length, features.positions, nFrames, sot.length);
  const path = dtw(matrix, tokens.length - sot.length - 1, nFrames);

  const { words, tokens: wordTokens } = tokenizer.splitToWordTokens([...textTokens, tokenizer.eot], options.language);
  if (wordTokens.length <= 1) return [];
  const jumpTimes = path.timeIndices
    .filter((_, i) => i === 0 || path.textIndices[i] !== path.textIndices[i - 1])
    .map((frame) => frame / TOKENS_PER_SECOND);
  let boundary = 0;
  return words.slice(0, -1).map((word, i) => {
    const start = boundary;
    boundary += wordTokens[i]!.length;
    const inWord = probabilities.slice(start, boundary);
    return {
      word,
      tokens: wordTokens[i]!,
      start: jumpTimes[start]!,
      end: jumpTimes[boundary]!,
      probability: inWord.reduce((sum, p) => sum + p, 0) / inWord.length,
    };
  });
}

/**
 * The heads' attention over the audio's frames: normalised per frame across the tokens, smoothed, averaged, negated. In
 * float32 as the reference computes it: where two paths cost nearly the same, the last bits decide between them.
 * @returns costs [nTokens - skipped - 1, nFrames], without the first `skipped` tokens and the last
 */
function meanOfHeads(
  attentions: readonly Float32Array[],
  nTokens: number,
  nPositions: number,
  nFrames: number,
  skipped: number,
): Float32Array {
  const rows = nTokens - skipped - 1;
  const cost = new Float32Array(rows * nFrames);
  for (const attention of attentions) {
    const weights = new Float32Array(nTokens * nFrames);
    for (let token = 0; token < nTokens; token++) {
      // Renormalised over the frames that hold audio: the same as a softmax over these alone.
      let total = 0;
      for (let f = 0; f < nFrames; f++) total += attention[token * nPositions + f]!;
      for (let f = 0; f < nFrames; f++) weights[token * nFrames + f] = attention[token * nPositions + f]! / total;
    }
    for (let f = 0; f < nFrames; f++) {
      let mean = 0;
      for (let token = 0; token < nTokens; token++) mean += weights[token * nFrames + f]!;
      mean /= nTokens;
      let variance = 0;
      for (let token = 0; token < nTokens; token++) variance += (weights[token * nFrames + f]! - mean) ** 2;
      const deviation = Math.sqrt(variance / nTokens);
      for (let token = 0; token < nTokens; token++) {
        const at = token * nFrames + f;
        weights[at] = (weights[at]! - mean) / deviation;
      }
    }
    for (let row = 0; row < rows; row++) {
      const start = (row + skipped) * nFrames;
      const smooth = medianFilter(weights.subarray(start, start + nFrames), MEDIAN_FILTER_WIDTH);
      for (let f = 0; f < nFrames; f++) cost[row * nFrames + f]! -= smooth[f]!;
    }
  }
  return cost.map((sum) => sum / attentions.length);
}

/** At the end of a sentence the pause sticks to a word: no word there is longer than twice the median. */
function shortenAtSentenceEnds(alignment: readonly WordTiming[], maxDuration: number): void {
  for (let i = 1; i < alignment.length; i++) {
    const [before, word] = [alignment[i - 1]!, alignment[i]!];
    if (word.end - word.start <= maxDuration) continue;
    if (SENTENCE_END_MARKS.includes(word.word)) word.end = word.start + maxDuration;
    else if (SENTENCE_END_MARKS.includes(before.word)) word.start = word.end - maxDuration;
  }
}

function mergePunctuations(alignment: readonly WordTiming[], prepended: string, appended: string): void {
  for (let i = alignment.length - 2, j = alignment.length - 1; i >= 0; i--) {
    const [previous, following] = [alignment[i]!, alignment[j]!];
    if (previous.word.startsWith(" ") && prepended.includes(previous.word.trim())) {
      following.word = previous.word + following.word;
      following.tokens = [...previous.tokens, ...following.tokens];
      previous.word = "";
      previous.tokens = [];
    } else j = i;
  }
  for (let i = 0, j = 1; j < alignment.length; j++) {
    const [previous, following] = [alignment[i]!, alignment[j]!];
    if (!previous.word.endsWith(" ") && appended.includes(following.word)) {
      previous.word += following.word;
      previous.tokens = [...previous.tokens, ...following.tokens];
      following.word = "";
      following.tokens = [];
    } else i = j;
  }
}

/** Words after a pause are no longer than twice the median; the segment's own times win over words that stick out. */
function fitToSegment(words: DraftWord[], segment: Draft, lastSpeech: number, medianDuration: number): void {
  const maxDuration = medianDuration * 2;
  const first = words[0]!;
  const second = words[1];
  const long =
    first.end - first.start > maxDuration || (second !== undefined && second.end - first.start > maxDuration * 2);
  if (first.end - lastSpeech > medianDuration * 4 && long) {
    if (second && second.end - second.start > maxDuration) {
      const boundary = Math.max(second.end / 2, second.end - maxDuration);
      first.end = boundary;
      second.start = boundary;
    }
    first.start = Math.max(0, first.end - maxDuration);
  }

  if (segment.start < first.end && segment.start - 0.5 > first.start) {
    first.start = Math.max(0, Math.min(first.end - medianDuration, segment.start));
  } else segment.start = first.start;

  const last = words.at(-1)!;
  if (segment.end > last.start && segment.end + 0.5 < last.end) {
    last.end = Math.max(last.start + medianDuration, segment.end);
  } else segment.end = last.end;
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function roundToHundredths(seconds: number): number {
  return Number(seconds.toFixed(2));
}
