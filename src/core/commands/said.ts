// What people say to the bot in words -> one of its commands: the same on every platform that has mentions.
import { COMMAND_NAMES, type CommandName } from "../ports.ts";

export interface Asked {
  readonly command: CommandName;
  readonly text: string;
}

/** @param words without the mention, as they were typed */
export function commandIn(words: string, hasRecording: boolean): Asked {
  const [, word = "", rest = ""] = /^\/?(\S*)\s*(.*)$/s.exec(words) ?? [];
  const command = COMMAND_NAMES.find((name) => name === word.toLowerCase());
  if (command !== undefined) return { command, text: rest };
  if (/^(hi|hello|hey|help)[!?.]*$/i.test(words) || (words === "" && !hasRecording)) {
    return { command: "earshot", text: "help" };
  }
  return { command: "transcribe", text: words };
}
