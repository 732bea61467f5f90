// A reply -> a message of Discord: content of up to 2,000 characters, buttons, and files for what does not fit.
import {
  type AllowedMentionsTypes,
  type APIActionRowComponent,
  type APIButtonComponentWithCustomId,
  ButtonStyle,
  ComponentType,
  MessageFlags,
} from "discord.js";
import { ACTION_NAMES, type ActionName } from "../../core/ports.ts";
import type { Action, AnswerReply, OutputFile, Reply } from "../../core/reply.ts";
import { escapeText, escapeWords, fitted, MOST_CHARACTERS } from "./markdown.ts";

export interface MessageBody {
  readonly content: string;
  readonly components: readonly APIActionRowComponent<APIButtonComponentWithCustomId>[];
  readonly allowed_mentions: { readonly parse: AllowedMentionsTypes[]; readonly replied_user: false };
  readonly flags: MessageFlags;
}

export interface Drawn {
  readonly body: MessageBody;
  readonly files: readonly OutputFile[];
}

/** Ref: Discord, "Action Rows": five buttons a row. */
const BUTTONS_IN_ROW = 5;

export function draw(reply: Reply): Drawn {
  switch (reply.kind) {
    case "status":
    case "failure":
      return drawn(fitted(reply.text, MOST_CHARACTERS, escapeWords).shown, reply.actions, []);
    case "answer":
      return drawAnswer(reply);
    case "file":
      return drawn("", [], [reply.file]);
    case "words": {
      const { shown, isCut } = fitted(reply.text, MOST_CHARACTERS, escapeWords);
      return drawn(shown, [], [...(isCut ? [textFile("answer.txt", reply.text)] : []), ...(reply.files ?? [])]);
    }
    default:
      return reply satisfies never;
  }
}

function drawAnswer({ head, text, notes, fileNames, actions }: AnswerReply): Drawn {
  const above = text === "" ? escapeText(head) : `**${fitted(head, 300, escapeText).shown}**`;
  const below = notes.map((note) => `\n-# ${fitted(note, 300, escapeWords).shown.replaceAll("\n", " ")}`).join("");
  const { shown, isCut } = fitted(text, MOST_CHARACTERS - above.length - below.length - 1, escapeText);
  // The rest of the text is in a file anyway, or else comes in one now.
  const isElsewhere = fileNames.some((name) => name.endsWith(".txt"));
  const files = isCut && !isElsewhere ? [textFile("transcript.txt", text)] : [];
  return drawn(`${above}${shown === "" ? "" : `\n${shown}`}${below}`, actions, files);
}

function drawn(content: string, actions: readonly Action[], files: readonly OutputFile[]): Drawn {
  return {
    body: {
      content,
      components: rowsOf(actions),
      allowed_mentions: { parse: [], replied_user: false },
      flags: MessageFlags.SuppressEmbeds,
    },
    files,
  };
}

function textFile(name: string, content: string): OutputFile {
  return { name, mimeType: "text/plain", content };
}

function rowsOf(actions: readonly Action[]): APIActionRowComponent<APIButtonComponentWithCustomId>[] {
  const buttons = actions.map(
    ({ name, label, jobId }): APIButtonComponentWithCustomId => ({
      type: ComponentType.Button,
      style: name === "delete" || name === "cancel" ? ButtonStyle.Danger : ButtonStyle.Secondary,
      label,
      custom_id: buttonId(name, jobId),
    }),
  );
  const rows: APIActionRowComponent<APIButtonComponentWithCustomId>[] = [];
  for (let at = 0; at < buttons.length; at += BUTTONS_IN_ROW) {
    rows.push({ type: ComponentType.ActionRow, components: buttons.slice(at, at + BUTTONS_IN_ROW) });
  }
  return rows;
}

function buttonId(action: ActionName, jobId: string): string {
  return `earshot:${action}:${jobId}`;
}

/** undefined: not a button of Earshot's, or of another version. */
export function readButtonId(id: string): { readonly action: ActionName; readonly jobId: string } | undefined {
  const [, name, jobId] = /^earshot:([a-z]+):(.+)$/.exec(id) ?? [];
  const action = ACTION_NAMES.find((each) => each === name);
  return action === undefined || jobId === undefined ? undefined : { action, jobId };
}
