// What the pool's sound costs on the way, and what it does to the transcript: FLAC beside Opus at several rates, over
// the demo model's evaluation set. docs/scale.md has the figures. Usage: node scripts/pool-codecs.mjs [CLIPS]
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const { loadWhisper } = await import("../dist/inference/whisper.js");
const { collect } = await import("../dist/inference/transcribe.js");
const { wordErrorRate } = await import("../dist/cli/bench/words.js");

const folder = fileURLToPath(new URL("../models/demo/eval/", import.meta.url));
const refs = JSON.parse(readFileSync(join(folder, "refs.json"), "utf8")).filter(({ text }) => text !== "");
const clips = refs.slice(0, Number(process.argv[2] ?? refs.length));
const codecs = [
  ["FLAC", ["-c:a", "flac"], "flac"],
  ...[64, 48, 32, 24, 16].map((rate) => [`Opus ${rate} kbit/s`, ["-c:a", "libopus", "-b:a", `${rate}k`], "ogg"]),
];
const scratch = mkdtempSync(join(tmpdir(), "earshot-codecs-"));
const whisper = await loadWhisper("demo", { device: "cpu", threads: 1 });
const hear = (path) => collect(whisper.transcribe(path, { language: "en" }));

process.stdout.write("| sound | MB an hour | same text | same segments | words wrong |\n|---|---|---|---|---|\n");
const originals = new Map();
for (const { file } of clips) originals.set(file, await hear(join(folder, file)));
for (const [name, options, extension] of [["as it came", undefined], ...codecs]) {
  let bytes = 0;
  let seconds = 0;
  const same = { text: 0, segments: 0 };
  const wrong = [];
  for (const { file, text } of clips) {
    const original = originals.get(file);
    let heard = original;
    seconds += original.duration;
    if (options === undefined) bytes += statSync(join(folder, file)).size;
    else {
      const path = join(scratch, `sound.${extension}`);
      execFileSync("ffmpeg", [
        "-loglevel",
        "error",
        "-y",
        "-i",
        join(folder, file),
        "-ac",
        "1",
        "-ar",
        "16000",
        ...options,
        path,
      ]);
      bytes += statSync(path).size;
      heard = await hear(path);
    }
    same.text += heard.text === original.text ? 1 : 0;
    same.segments += JSON.stringify(heard.segments) === JSON.stringify(original.segments) ? 1 : 0;
    wrong.push([text, heard.text]);
  }
  const rate = wordErrorRate(
    wrong.map(([said]) => said),
    wrong.map(([, text]) => text),
  );
  const share = (count) => `${count} of ${clips.length}`;
  const megabytes = ((bytes / 1e6 / seconds) * 3600).toFixed(1);
  process.stdout.write(
    `| ${name} | ${megabytes} | ${share(same.text)} | ${share(same.segments)} | ${(100 * rate).toFixed(2)}% |\n`,
  );
}
await whisper.close();
rmSync(scratch, { recursive: true });
