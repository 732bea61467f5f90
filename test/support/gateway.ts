// The gateway as a process of its own, and its playground as a page sees it.
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChatMessage } from "../../src/adapters/playground/chat-log.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

export interface Gateway {
  readonly url: string;
  readonly process: ChildProcess;
  /** All it wrote on both streams. */
  output(): string;
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<number | null>;
}

/** Starts `earshot start` on a free port; resolves when its page answers. */
export async function startGateway(data: string, env: Record<string, string> = {}): Promise<Gateway> {
  const child = spawn(process.execPath, [MAIN, "start", "--port", "0", "--device", "cpu", "--threads", "1"], {
    env: { ...process.env, EARSHOT_DATA: data, EARSHOT_MODEL: "demo", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk;
      const found = /page\s+(http:\/\/\S+)/.exec(output);
      if (found?.[1] !== undefined) resolve(found[1]);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`The gateway ended with ${code}:\n${output}`)));
  });
  return {
    url,
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
