// How many words a text has: between spaces, or as the language's rules tell them apart where there are none.
import type { Transcript } from "./transcript.ts";

const WITHOUT_SPACES: readonly string[] = ["zh", "ja", "yue", "th", "lo", "km", "my", "bo"];

export function wordCount({ text, language }: Pick<Transcript, "text" | "language">): number {
  if (!WITHOUT_SPACES.includes(language)) {
    return text.split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
  }
  let words = 0;
  for (const part of new Intl.Segmenter(language, { granularity: "word" }).segment(text)) {
    if (part.isWordLike === true) words++;
  }
  return words;
}
