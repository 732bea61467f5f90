// `earshot start`: what `npm start` does until there is a bot; transcribes the samples with the demo model.
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { formatTimestamp } from "../core/render/timestamp.ts";
import { demoFolder } from "../inference/models.ts";
import { loadWhisper, type Whisper } from "../inference/whisper.ts";
import type { Io } from "./io.ts";
import { spanText, speedText } from "./spans.ts";

const HEAD = `
Earshot turns voice messages and meeting recordings into text. Nothing leaves
this machine. Here are samples, heard by the small demo model that comes along:
`;

const NEXT = `
The demo model knows a few hundred words. For real work:

  npx earshot doctor                       checks this machine
  npx earshot models list                  shows the models there are
  npx earshot models pull base             downloads one of them
  npx earshot transcribe talk.mp3          writes talk.txt, .srt, .vtt, .tsv, .json
  npx earshot transcribe --help            explains every option
`;

/** The samples that the demo model understands, with a glossary of the names in them. */
const SAMPLES: readonly { readonly file: string; readonly glossary?: string }[] = [
  { file: "standup.flac", glossary: "Glossary: Qavylow, Xamoetee." },
  { file: "voice-note.ogg" },
];

/** @throws UserError, InferenceError */
export async function start(argv: readonly string[], io: Io): Promise<number> {
  if (argv.length > 0) throw new UserError("bad_option", "earshot start takes no options.");
  const folder = join(demoFolder, "sample");
  io.stdout.write(HEAD);
  const whisper = await loadWhisper("demo");
  try {
    for (const { file, glossary } of SAMPLES) {
      io.stdout.write(`\n  ${file}\n`);
      await show(whisper, join(folder, file), undefined, io);
      if (glossary === undefined) continue;
      io.stdout.write(`\n  ${file} again, with --initial_prompt "${glossary}"\n`);
      await show(whisper, join(folder, file), glossary, io);
    }
  } finally {
    await whisper.close();
  }
  io.stdout.write(NEXT);
  return 0;
}

async function show(whisper: Whisper, path: string, initialPrompt: string | undefined, io: Io): Promise<void> {
  const startedAt = performance.now();
  const prompt = initialPrompt === undefined ? {} : { initialPrompt };
  const transcription = whisper.transcribe(path, { ...prompt, signal: io.signal });
  let step = await transcription.next();
  for (; !step.done; step = await transcription.next()) {
    const { start, end, text } = step.value;
    io.stdout.write(`  [${formatTimestamp(start)} --> ${formatTimestamp(end)}] ${text}\n`);
  }
  const { duration } = step.value;
  const elapsed = (performance.now() - startedAt) / 1000;
  io.stdout.write(`  (${spanText(duration)} of audio in ${spanText(elapsed)}, ${speedText(duration, elapsed)})\n`);
}
