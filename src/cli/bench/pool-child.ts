// The machines of `earshot bench pool`: real ones, but for the engine, which answers at once.
import process from "node:process";
import type { Transcriber } from "../../core/ports.ts";
import type { Segment } from "../../core/transcript.ts";
import { startPoolWorker } from "../../inference/pool-worker.ts";

const [url = "", count = "1"] = process.argv.slice(2);

/** A window's worth of text, as long as speech makes it. */
const segments: readonly Segment[] = Array.from({ length: 6 }, (_, id) => ({
  id,
  seek: 0,
  start: 5 * id,
  end: 5 * id + 5,
  text: " and this is about what somebody says within five seconds",
  tokens: Array.from({ length: 14 }, (_, n) => 1000 + n),
  temperature: 0,
  avgLogprob: -0.2137,
  compressionRatio: 1.412,
  noSpeechProb: 0.0213,
}));

const engine = { model: "demo", device: "none", notes: [] };
const transcriber: Transcriber = {
  async transcribe(_path, _options, on) {
    on.progress(0, 30);
    on.progress(30, 30);
    await on.window(segments, { seek: 3000, language: "en", lastSpeechTimestamp: 30 });
    return { ...engine, text: segments.map(({ text }) => text).join(""), segments, language: "en", duration: 30 };
  },
  engine: async () => engine,
  close: async () => {},
};

const workers = Array.from({ length: Number(count) }, (_, n) =>
  startPoolWorker({
    nats: { servers: [url] },
    name: `bench-${n}`,
    version: "bench",
    transcriber,
    models: [{ path: "demo", engine }],
    log: (line) => void process.stderr.write(`${line}\n`),
  }),
);
process.on("message", async () => {
  await Promise.all(workers.map((worker) => worker.stop(0)));
  process.disconnect();
});
