// The commands that people type, the same on every platform: /transcribe, /jargon and /earshot.
import { earshot } from "./commands/earshot.ts";
import { helpFor } from "./commands/help.ts";
import { jargon } from "./commands/jargon.ts";
import type { CommandParts } from "./commands/parts.ts";
import { transcribe } from "./commands/transcribe.ts";
import { splitWords } from "./commands/words.ts";
import { InferenceError, UserError } from "./errors.ts";
import type { Invocation, Listener } from "./ports.ts";
import type { Reply } from "./reply.ts";

export function createCommands(parts: CommandParts): Listener["command"] {
  return async (invocation) => {
    try {
      const answer = await run(invocation, parts);
      return typeof answer === "string" ? { kind: "words", text: answer } : answer;
    } catch (error) {
      // What a person typed wrong, or a model that is not there, is answered and not thrown.
      if (error instanceof UserError || error instanceof InferenceError) return { kind: "words", text: error.message };
      throw error;
    }
  };
}

async function run(invocation: Invocation, parts: CommandParts): Promise<Reply | string> {
  const words = splitWords(invocation.text);
  if (/^(help|\?|--help|-h)$/i.test(words[0] ?? "")) return helpFor(invocation.command);
  switch (invocation.command) {
    case "transcribe":
      return transcribe(words, invocation, parts);
    case "jargon":
      return jargon(words, invocation, parts);
    case "earshot":
      return earshot(words, invocation, parts);
    default:
      return invocation.command satisfies never;
  }
}
