// A reply -> a message of Slack in Block Kit. What people said or named stands in rich text, which Slack takes literally.
import type { types } from "@slack/bolt";
import { ACTION_NAMES, type ActionName } from "../../core/ports.ts";
import type { Action, AnswerReply, OutputFile, Reply } from "../../core/reply.ts";

export interface Drawn {
  /** For notifications and readers without blocks: escaped, as Slack reads mentions in it. */
  readonly text: string;
  readonly blocks: types.KnownBlock[];
  readonly files: readonly OutputFile[];
}

/** Ref: Slack, "Block Kit": 50 blocks a message, 25 buttons a block; text of a block up to 3,000 characters. */
const BLOCK_CHARACTERS = 3000;
const MOST_TEXT_BLOCKS = 12;
const NOTICE_CHARACTERS = 300;
const LABEL_CHARACTERS = 75;

export function draw(reply: Reply): Drawn {
  switch (reply.kind) {
    case "status":
    case "failure":
      return drawn(reply.text, richBlocks(words(reply.text)), reply.actions, []);
    case "answer":
      return drawAnswer(reply);
    case "file":
      return { text: "", blocks: [], files: [reply.file] };
    case "words": {
      const { shown, isCut } = fitted(reply.text);
      const rest = isCut ? [{ name: "answer.txt", mimeType: "text/plain", content: reply.text }] : [];
      return drawn(reply.text, richBlocks(words(shown)), [], [...rest, ...(reply.files ?? [])]);
    }
    default:
      return reply satisfies never;
  }
}

function drawAnswer({ head, text, notes, fileNames, actions }: AnswerReply): Drawn {
  const { shown, isCut } = fitted(text);
  const isElsewhere = fileNames.some((name) => name.endsWith(".txt"));
  const files = isCut && !isElsewhere ? [{ name: "transcript.txt", mimeType: "text/plain", content: text }] : [];
  const above = richBlocks([{ type: "text", text: head, ...(text === "" ? {} : { style: { bold: true } }) }]);
  const said = shown === "" ? [] : richBlocks([{ type: "text", text: shown }]);
  const below = notes.length === 0 ? [] : richBlocks(words(notes.join("\n"), { italic: true }));
  return drawn(head, [...above, ...said, ...below], actions, files);
}

function drawn(
  text: string,
  blocks: types.KnownBlock[],
  actions: readonly Action[],
  files: readonly OutputFile[],
): Drawn {
  return { text: escapeText(cut(text, NOTICE_CHARACTERS)), blocks: [...blocks, ...buttons(actions)], files };
}

/** Slack's three signs. Ref: Slack, "Formatting message text" */
export function escapeText(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** Earshot's own words: what stands in `backticks` is to be typed. */
function words(text: string, style: { readonly italic?: true } = {}): types.RichTextText[] {
  return text
    .split(/(`[^`\n]+`)/)
    .map(
      (part, index): types.RichTextText =>
        index % 2 === 1
          ? { type: "text", text: part.slice(1, -1), style: { code: true } }
          : { type: "text", text: part, ...(style.italic ? { style } : {}) },
    )
    .filter((element) => element.text !== "");
}

/** As many blocks as the text needs. */
function richBlocks(elements: readonly types.RichTextText[]): types.KnownBlock[] {
  const blocks: types.RichTextText[][] = [[]];
  let room = BLOCK_CHARACTERS;
  for (const element of elements) {
    for (const text of chunks(element.text, BLOCK_CHARACTERS)) {
      if (text.length > room) {
        blocks.push([]);
        room = BLOCK_CHARACTERS;
      }
      room -= text.length;
      blocks.at(-1)?.push({ ...element, text });
    }
  }
  return blocks
    .filter((elements) => elements.length > 0)
    .map((elements) => ({ type: "rich_text", elements: [{ type: "rich_text_section", elements }] }));
}

/** Pieces that end at the end of a line or a word where they can, and never inside a letter. */
function chunks(text: string, most: number): string[] {
  const parts: string[] = [];
  let rest = text;
  while (rest.length > most) {
    const end = [rest.lastIndexOf("\n", most - 1), rest.lastIndexOf(" ", most - 1)].find((at) => at > most / 2);
    const part = end === undefined ? rest.slice(0, most).replace(/[\uD800-\uDBFF]$/, "") : rest.slice(0, end + 1);
    parts.push(part);
    rest = rest.slice(part.length);
  }
  return [...parts, rest];
}

function fitted(text: string): { readonly shown: string; readonly isCut: boolean } {
  const most = BLOCK_CHARACTERS * MOST_TEXT_BLOCKS;
  return text.length <= most ? { shown: text, isCut: false } : { shown: cut(text, most), isCut: true };
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 2).replace(/[\uD800-\uDBFF]$/, "")} …`;
}

function buttons(actions: readonly Action[]): types.KnownBlock[] {
  if (actions.length === 0) return [];
  const elements = actions.map(
    ({ name, label, jobId }): types.Button => ({
      type: "button",
      action_id: `${BUTTON}${name}`,
      value: jobId,
      text: { type: "plain_text", text: cut(label, LABEL_CHARACTERS), emoji: false },
      ...(name === "delete" || name === "cancel" ? { style: "danger" } : {}),
      ...(name === "delete" ? { confirm: DELETION } : {}),
    }),
  );
  return [{ type: "actions", elements }];
}

const BUTTON = "earshot:";
const plain = (text: string): types.PlainTextElement => ({ type: "plain_text", text, emoji: false });
const DELETION: types.ConfirmationDialog = {
  title: plain("Delete the transcript?"),
  text: plain("It is deleted for good. The recording itself stays in the channel."),
  confirm: plain("Delete"),
  deny: plain("Keep"),
  style: "danger",
};

export const BUTTON_PATTERN = new RegExp(`^${BUTTON}(${ACTION_NAMES.join("|")})$`);

/** undefined: not a button of Earshot's, or of another version. */
export function readButton(actionId: string, value: string | undefined) {
  const name = BUTTON_PATTERN.exec(actionId)?.[1];
  const action = ACTION_NAMES.find((each): each is ActionName => each === name);
  return action === undefined || value === undefined ? undefined : { action, jobId: value };
}
