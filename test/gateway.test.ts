// `earshot start` as a process: what it says, what it refuses, how it stops.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { answerTo, type Gateway, messagesOf, post, sendRecording, startGateway, until } from "./support/gateway.ts";

vi.setConfig({ testTimeout: 120_000 });

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const sample = (name: string) => fileURLToPath(new URL(`../models/demo/sample/${name}`, import.meta.url));

let data: string;
let gateway: Gateway | undefined;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "earshot-start-"));
});
afterEach(async () => {
  await gateway?.kill("SIGKILL");
  gateway = undefined;
  await rm(data, { recursive: true, force: true });
});

/** A start that is expected to end by itself. */
function run(...argv: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [MAIN, "start", ...argv], {
    env: { ...process.env, EARSHOT_DATA: data, EARSHOT_MODEL: "demo" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}

describe("earshot start", () => {
  it("says what runs where, and answers a recording", async () => {
    gateway = await startGateway(data);
    for (const words of [
      /page +http:\/\/127\.0\.0\.1:\d+/,
      /platforms +playground/,
      /model +demo on cpu/,
      /Demo model:/,
    ]) {
      expect(gateway.output()).toMatch(words);
    }
    const answer = await until(
      gateway.url,
      answerTo(await sendRecording(gateway.url, "standup", sample("standup.flac"))),
    );
    expect(answer.head).toMatch(/^standup\.flac · 0:0\d · English · \d+ words$/);
    const metrics = async () => (await fetch(`${gateway?.url}/metrics`)).text();
    await expect.poll(metrics).toContain('earshot_jobs_total{platform="playground",outcome="done"} 1');
    // Logs tell of the job and nothing of what is in it.
    expect(gateway.output()).toContain('"msg":"job_done"');
    expect(gateway.output()).not.toContain("standup.flac");
    expect(gateway.output()).not.toContain(answer.text.slice(0, 12));
    expect((await stat(join(data, "earshot.db"))).mode & 0o077).toBe(0);
  });

  it("stops at SIGTERM in the middle of a long job, which goes on at the next start", async () => {
    gateway = await startGateway(data);
    await post(gateway.url, "/api/channels/direct/samples", { name: "meeting.flac" });
    await until(gateway.url, (messages) => (messages.length > 1 ? true : undefined));
    expect(await gateway.kill("SIGTERM")).toBe(143);
    expect(gateway.output()).toContain("Stopping");
    gateway = await startGateway(data);
    const [sent] = await messagesOf(gateway.url);
    await until(gateway.url, answerTo(sent?.id ?? ""));
  });

  it("serves a short message while a long one is at work", async () => {
    gateway = await startGateway(data);
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push(await sendRecording(gateway.url, "direct", sample("meeting.flac"), false));
    const short = await sendRecording(gateway.url, "direct", sample("voice-note.ogg"));
    for (const id of [short, ...ids]) await until(gateway.url, answerTo(id));
  });

  it("refuses a second gateway on the same data, and says what to do", async () => {
    gateway = await startGateway(data);
    const { code, output } = await run("--port", "0");
    expect(code).toBe(1);
    expect(output).toMatch(/Another Earshot .*EARSHOT_DATA/);
  });

  it("refuses a port that is taken, wrong settings and a broken database, each with its remedy", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const taken = await run("--port", String(port));
    other.close();
    expect([taken.code, taken.output]).toEqual([1, expect.stringMatching(/EADDRINUSE.*EARSHOT_PORT/)]);

    const wrong = await run("--port", "x", "--devise", "cpu");
    expect([wrong.code, wrong.output]).toEqual([
      1,
      expect.stringMatching(/Did you mean --device\?\n--port must be a number/),
    ]);

    await writeFile(
      join(data, "earshot.db"),
      "this is no database, but a text that is long enough to be taken for one",
    );
    const broken = await run("--port", "0");
    expect([broken.code, broken.output]).toEqual([1, expect.stringMatching(/earshot\.db/)]);
    // What may still be saved is not touched.
    expect(await readFile(join(data, "earshot.db"), "utf8")).toContain("this is no database");
  });

  it("explains every setting", async () => {
    const { code, output } = await run("--help");
    expect(code).toBe(0);
    for (const word of ["EARSHOT_DATA", "--port", "DISCORD_TOKEN", "earshot.config.json"])
      expect(output).toContain(word);
  });
});
