// The gateway as a process of its own, and its playground as a page sees it.
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChatMessage } from "../../src/adapters/playground/chat-log.ts";
import type { Counterparts } from "../../src/platforms.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const WITH_COUNTERPARTS = fileURLToPath(new URL("start-with-counterparts.mjs", import.meta.url));

export interface Gateway {
  readonly url: string;
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  /** All it wrote on both streams. */
  output(): string;
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<number | null>;
}

export interface StartOptions {
  /** Local counterparts in the platforms' places. */
  readonly counterparts?: Counterparts;
  /** For what the process makes without a mode of its own. */
  readonly umask?: number;
}

/** Starts `earshot start` on a free port; resolves when its page answers. */
export async function startGateway(
  data: string,
  env: Record<string, string> = {},
  options: StartOptions = {},
): Promise<Gateway> {
  const gateway = spawnGateway(data, env, options);
  await gateway.started;
  return gateway;
}

/** The same, at once. */
export function spawnGateway(
  data: string,
  env: Record<string, string> = {},
  { counterparts, umask }: StartOptions = {},
): Gateway & { readonly started: Promise<string> } {
  const program = counterparts === undefined ? [MAIN, "start"] : [WITH_COUNTERPARTS, JSON.stringify(counterparts)];
  const before = umask === undefined ? undefined : process.umask(umask);
  const child = spawn(process.execPath, [...program, "--port", "0", "--device", "cpu", "--threads", "1"], {
    env: { ...process.env, EARSHOT_DATA: data, EARSHOT_MODEL: "demo", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (before !== undefined) process.umask(before);
  let output = "";
  let url = "";
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const started = new Promise<string>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk;
      const found = /page\s+(http:\/\/\S+)/.exec(output);
      if (found?.[1] === undefined) return;
      url = found[1];
      resolve(url);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`The gateway ended with ${code}:\n${output}`)));
  });
  // Whoever does not wait for the start looks at the exit.
  started.catch(() => undefined);
  return {
    started,
    get url() {
      return url;
    },
    ended,
    process: child,
    output: () => output,
    kill(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

/** @returns the id of the message */
export async function sendRecording(url: string, channel: string, path: string, isVoice = true): Promise<string> {
  const form = new FormData();
  form.append("file", new Blob([await readFile(path)], { type: "audio/flac" }), basename(path));
  const response = await fetch(`${url}/api/channels/${channel}/recordings?voice=${isVoice}`, {
    method: "POST",
    body: form,
  });
  const answer = (await response.json()) as { id?: string; message?: string };
  if (answer.id === undefined) throw new Error(`${response.status}: ${answer.message}`);
  return answer.id;
}

export async function post(url: string, path: string, body: unknown): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

export async function messagesOf(url: string): Promise<readonly ChatMessage[]> {
  const response = await fetch(`${url}/api/state`);
  return ((await response.json()) as { messages: ChatMessage[] }).messages;
}

/** Looks again and again until the messages are as wanted. */
export async function until<T>(url: string, wanted: (messages: readonly ChatMessage[]) => T | undefined): Promise<T> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const messages = await messagesOf(url);
    const found = wanted(messages);
    if (found !== undefined) return found;
    if (Date.now() > deadline)
      throw new Error(`It did not come about: ${JSON.stringify(messages, null, 1).slice(0, 4000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The answer to a recording, once there is one. */
export function answerTo(id: string) {
  return (messages: readonly ChatMessage[]) => {
    const message = messages.find(
      ({ thread, body }) => thread === id && body?.kind === "reply" && body.reply.kind === "answer",
    );
    return message?.body?.kind === "reply" && message.body.reply.kind === "answer" ? message.body.reply : undefined;
  };
}
