// What the engine heard, as a channel wants to read it: spellings put right, fillers out, numbers in digits, chapters.
import { chaptersOf } from "./chapters.ts";
import { withoutFillers } from "./fillers.ts";
import type { Glossary } from "./glossary.ts";
import { withDigits } from "./numbers.ts";
import { applyPairs } from "./replacement.ts";
import type { Settings } from "./settings.ts";
import type { Transcript } from "./transcript.ts";

export interface Finish extends Pick<Settings, "verbatim" | "chapters"> {
  readonly glossary: Pick<Glossary, "terms" | "pairs">;
  readonly task: "transcribe" | "translate";
}

export function finishedTranscript<T extends Transcript>(heard: T, { verbatim, chapters, glossary, task }: Finish): T {
  const language = task === "translate" ? "en" : heard.language;
  const clean = verbatim ? heard : withDigits(withoutFillers(heard, language), language);
  // Last, so that nothing changes a spelling that the glossary wants.
  const transcript = applyPairs(clean, glossary);
  const found = chapters ? chaptersOf(transcript) : [];
  return found.length === 0 ? transcript : { ...transcript, chapters: found };
}
