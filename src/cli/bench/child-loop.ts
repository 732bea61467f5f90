// An engine in a process of its own: the child's side.

import process from "node:process";
import type { ChildOptions, Reply, Request } from "./child.ts";
import type { Round, Speech, SpeechFiles } from "./work.ts";

export interface ChildEngine {
  readonly description: string;
  readonly weightBytes: number;
  round(): Promise<Round>;
  speech(files: SpeechFiles): Promise<Speech>;
}

/** Loads the engine that the command line asks for and answers the parent until it goes away. */
export async function answerParent(load: (options: ChildOptions) => Promise<ChildEngine>): Promise<void> {
  const say = (reply: Reply) => void process.send?.(reply);
  process.on("disconnect", () => process.kill(process.pid));
  try {
    const engine = await load(JSON.parse(process.argv[2] ?? "{}") as ChildOptions);
    process.on("message", (request: Request) => {
      answer(engine, request).then(say, (error: unknown) => say({ failure: sentence(error) }));
    });
    say({ description: engine.description, weightBytes: engine.weightBytes });
  } catch (error) {
    say({ failure: sentence(error) });
  }
}

async function answer(engine: ChildEngine, request: Request): Promise<Reply> {
  if (request.ask === "round") return { round: await engine.round() };
  return { speech: await engine.speech(request.files) };
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
