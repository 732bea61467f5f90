// A reply -> a message of Teams with an Adaptive Card. What people said or named stands in text runs, which Teams takes
// literally: no markdown, no mentions.
import { type Activity, ActivityTypes, type Attachment } from "botbuilder";
import { ACTION_NAMES, type ActionName } from "../../core/ports.ts";
import type { Action, AnswerReply, OutputFile, Reply } from "../../core/reply.ts";
import { type Json, record, text } from "./activity.ts";

export interface Drawn {
  /** undefined: nothing but files. */
  readonly message: Partial<Activity> | undefined;
  readonly files: readonly OutputFile[];
}

type Element = Json;
type CardAction = Json;

export const CARD = "application/vnd.microsoft.card.adaptive";
/** Ref: Teams, "Format your bot messages": about 100 KB a message in UTF-16, the card and all that is around it. */
export const MOST_BYTES = 80_000;
const MOST_CHARACTERS = 24_000;
const MOST_LINES = 400;
const SUMMARY_CHARACTERS = 200;
/** Ref: Teams, "Adaptive Card": six buttons beside each other, the others behind three dots. */
const MOST_BUTTONS = 5;

/** @param key under which it is posted: carried by the card, so that it can be found again after a crash */
export function draw(reply: Reply, key: string): Drawn {
  switch (reply.kind) {
    case "status":
    case "failure":
      return drawn(key, reply.text, lines(words, reply.text), reply.actions, []);
    case "answer":
      return drawAnswer(key, reply);
    case "file":
      return { message: undefined, files: [reply.file] };
    case "words": {
      const { shown, isCut } = fitted(reply.text);
      const rest = isCut ? [textFile("answer.txt", reply.text)] : [];
      return drawn(key, reply.text, lines(words, shown), [], [...rest, ...(reply.files ?? [])]);
    }
    default:
      return reply satisfies never;
  }
}

function drawAnswer(key: string, { head, text: said, notes, fileNames, actions }: AnswerReply): Drawn {
  const { shown, isCut } = fitted(said);
  const isElsewhere = fileNames.some((name) => name.endsWith(".txt"));
  const files = isCut && !isElsewhere ? [textFile("transcript.txt", said)] : [];
  const above = lines((line) => plain(line, said === "" ? {} : { weight: "Bolder" }), head);
  const below = lines((line) => words(line, { isSubtle: true, size: "Small" }), notes.join("\n"));
  return drawn(key, head, [...above, ...lines(plain, shown), ...below], actions, files);
}

function drawn(
  key: string,
  summary: string,
  body: readonly Element[],
  actions: readonly Action[],
  files: readonly OutputFile[],
): Drawn {
  const content = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.5",
    msteams: { width: "Full" },
    body: body.map((element, index) => (index === 0 ? { ...element, id: markOf(key) } : element)),
    ...(actions.length === 0 ? {} : { actions: buttons(actions) }),
  };
  return {
    message: {
      type: ActivityTypes.Message,
      summary: cut(summary, SUMMARY_CHARACTERS).replaceAll("`", ""),
      attachments: [{ contentType: CARD, content }],
    },
    files,
  };
}

function textFile(name: string, content: string): OutputFile {
  return { name, mimeType: "text/plain", content };
}

/** One block for each line: a run has no line breaks of its own. */
function lines(runs: (line: string) => readonly Element[], said: string): Element[] {
  if (said === "") return [];
  let isAfterGap = true;
  return said.split("\n").flatMap((line) => {
    if (line.trim() === "") {
      isAfterGap = true;
      return [];
    }
    const spacing = isAfterGap ? "Default" : "None";
    isAfterGap = false;
    return [{ type: "RichTextBlock", spacing, inlines: runs(line) }];
  });
}

function plain(said: string, style: Json = {}): readonly Element[] {
  return [{ type: "TextRun", text: literal(said), ...style }];
}

/** Earshot's own words: what stands in `backticks` is to be typed. */
function words(said: string, style: Json = {}): readonly Element[] {
  return said
    .split(/(`[^`]+`)/)
    .map((part, index) =>
      index % 2 === 1 ? { said: part.slice(1, -1), isTyped: true } : { said: part, isTyped: false },
    )
    .filter((part) => part.said !== "")
    .map((part) => ({
      type: "TextRun",
      text: literal(part.said),
      ...style,
      ...(part.isTyped ? { fontType: "Monospace" } : {}),
    }));
}

/** The one thing that a card still reads in a run: {{DATE(…)}} and {{TIME(…)}}. */
function literal(said: string): string {
  return said.replace(/\{\{(?=(DATE|TIME)\()/g, "{\u2060{");
}

function buttons(actions: readonly Action[]): CardAction[] {
  return actions.map(({ name, label, jobId }, index) => {
    const data = { earshot: name, job: jobId };
    const isHidden = actions.length > MOST_BUTTONS + 1 && index >= MOST_BUTTONS - 1 && name !== "delete";
    const mode = isHidden ? { mode: "secondary" } : {};
    if (name === "delete") {
      const sure = "It is deleted for good. The recording itself stays in the conversation.";
      const really = { type: "Action.Submit", title: "Delete", style: "destructive", data };
      const body = [{ type: "TextBlock", text: sure, wrap: true }];
      return {
        type: "Action.ShowCard",
        title: label,
        card: { type: "AdaptiveCard", body, actions: [really] },
        ...mode,
      };
    }
    return {
      type: "Action.Submit",
      title: label,
      data,
      ...(name === "cancel" ? { style: "destructive" } : {}),
      ...mode,
    };
  });
}

/** undefined: not a button of Earshot's, or of another version. */
export function readButton(value: unknown): { readonly action: ActionName; readonly jobId: string } | undefined {
  const { earshot: name, job } = record(value);
  const action = ACTION_NAMES.find((each) => each === name);
  const jobId = text(job);
  return action === undefined || jobId === undefined || !/^[\w-]{1,40}$/.test(jobId) ? undefined : { action, jobId };
}

const MARK = "earshot:";

function markOf(key: string): string {
  return `${MARK}${key}`;
}

/** The key under which Earshot posted a card; undefined: it did not. @param content of the card, as JSON */
export function keyOf(content: string): string | undefined {
  let card: unknown;
  try {
    card = JSON.parse(content);
  } catch {
    return undefined;
  }
  const { body } = record(card);
  const id = Array.isArray(body) ? text(record(body[0])["id"]) : undefined;
  return id?.startsWith(MARK) ? id.slice(MARK.length) : undefined;
}

/** A link to a file that lies in the conversation's own folder. */
export function fileCard(key: string, sentence: string, title: string, url: string): Partial<Activity> {
  const { message } = drawn(key, sentence, lines(plain, sentence), [], []);
  const [card] = message?.attachments ?? [];
  const open = { type: "Action.OpenUrl", title, url };
  return {
    ...message,
    attachments: [{ ...card, content: { ...record(card?.content), actions: [open] } } as Attachment],
  };
}

/** A file's content where no file can be. */
export function textCard(key: string, sentence: string, content: string): Partial<Activity> {
  const { shown } = fitted(content);
  const body = [...lines(plain, sentence), ...lines((line) => plain(line, { fontType: "Monospace" }), shown)];
  return drawn(key, sentence, body, [], []).message ?? {};
}

/** As UTF-16, the way Teams counts. */
export function bytesOf(message: Partial<Activity>): number {
  return JSON.stringify(message).length * 2;
}

function fitted(said: string): { readonly shown: string; readonly isCut: boolean } {
  const whole = said.split("\n");
  const few = whole.length <= MOST_LINES ? said : whole.slice(0, MOST_LINES).join("\n");
  // What takes several signs in JSON, such as quotes, counts for as many; each line brings its block along.
  let most = MOST_CHARACTERS;
  const weight = (part: string) => JSON.stringify(part).length + part.split("\n").length * 100;
  while (weight(few.slice(0, most)) * 2 > MOST_BYTES - 8000) most = Math.floor(most * 0.8);
  const shown = cut(few, most);
  return { shown, isCut: shown !== said };
}

function cut(said: string, most: number): string {
  return said.length <= most ? said : `${said.slice(0, most - 2).replace(/[\uD800-\uDBFF]$/, "")} …`;
}
