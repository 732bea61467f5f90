// `earshot start`: what `npm start` does until there is a bot; transcribes the sample with the demo model.
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { UserError } from "../core/errors.ts";
import { formatTimestamp } from "../core/render/timestamp.ts";
import { demoFolder } from "../inference/models.ts";
import { loadWhisper } from "../inference/whisper.ts";
import type { Io } from "./io.ts";
import { spanText, speedText } from "./spans.ts";

const HEAD = `
Earshot turns voice messages and meeting recordings into text. Nothing leaves
this machine. Here is a sample, heard by the small demo model that comes along:
`;

const NEXT = `
The demo model knows a few hundred words. For real work:

  npx earshot doctor                       checks this machine
  npx earshot models list                  shows the models there are
  npx earshot models pull base             downloads one of them
  npx earshot transcribe talk.mp3          writes talk.txt, .srt, .vtt, .tsv, .json
  npx earshot transcribe --help            explains every option
`;

/** @throws UserError, InferenceError */
export async function start(argv: readonly string[], io: Io): Promise<number> {
  if (argv.length > 0) throw new UserError("bad_option", "earshot start takes no options.");
  const folder = join(demoFolder, "sample");
  const files = (await readdir(folder)).filter((name) => /\.(flac|ogg|mp3|wav|m4a)$/.test(name)).sort();
  io.stdout.write(HEAD);
  const whisper = await loadWhisper("demo");
  try {
    for (const file of files) {
      const startedAt = performance.now();
      io.stdout.write(`\n  ${basename(file)}\n`);
      const transcription = whisper.transcribe(join(folder, file), { signal: io.signal });
      let step = await transcription.next();
      for (; !step.done; step = await transcription.next()) {
        const { start, end, text } = step.value;
        io.stdout.write(`  [${formatTimestamp(start)} --> ${formatTimestamp(end)}] ${text}\n`);
      }
      const { duration } = step.value;
      const elapsed = (performance.now() - startedAt) / 1000;
      io.stdout.write(`  (${spanText(duration)} of audio in ${spanText(elapsed)}, ${speedText(duration, elapsed)})\n`);
    }
  } finally {
    await whisper.close();
  }
  io.stdout.write(NEXT);
  return 0;
}
