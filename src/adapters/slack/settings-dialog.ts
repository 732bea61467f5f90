// The dialog with a channel's settings and glossary, and the commands that its changes amount to. Pure.
import type { types } from "@slack/bolt";
import { LANGUAGES } from "../../core/languages.ts";
import type { ChannelView, CommandName } from "../../core/ports.ts";
import type { Scope } from "../../core/recording.ts";
import { FORMATS } from "../../core/settings.ts";
import { checks, choice, INPUT_CHARACTERS, option, plain, type stateOf, textInput } from "./views.ts";

export const SETTINGS_DIALOG = "channel_settings";

const AUTO = [
  option("voice", "Voice and video clips, by themselves"),
  option("all", "All recordings, by themselves"),
  option("off", "Only when somebody asks"),
];
const REPLY = [
  option("thread", "In the recording's thread"),
  option("channel", "In the channel"),
  option("only-me", "Only for the one who asked"),
  option("direct", "As a direct message"),
];
const EDITORS = [option("everyone", "Everyone in the channel"), option("admins", "Workspace admins and owners")];
const FILES = FORMATS.map((format) => option(format, format.toUpperCase()));
const EXTRAS = [
  option("translate", "Translate into English"),
  option("timestamps", "Show times in the text"),
  option("verbatim", 'Keep "um" and "uh"'),
  option("mixed", "People change the language within a recording"),
  option("chapters", "Chapters in long transcripts"),
];
const TRACKS = [option("auto", "Found out from the sound"), option("on", "Yes, always"), option("off", "No, never")];

/** What the dialog shows, by the id of each input. */
function shownIn({ settings, glossary }: ChannelView) {
  const own = <Entry extends { readonly level: string }>(entries: readonly Entry[]) =>
    entries.filter(({ level }) => level === "channel");
  return {
    auto: settings.auto,
    language: settings.languages.map((code) => LANGUAGES[code] ?? code).join(", "),
    reply: settings.reply.replace("_", "-"),
    formats: settings.formats,
    extras: (["translate", "timestamps", "verbatim", "mixed", "chapters"] as const).filter((name) => settings[name]),
    tracks: settings.tracks,
    retention: settings.retentionDays === null ? "" : String(settings.retentionDays),
    editors: typeof settings.editors === "string" ? settings.editors : "",
    terms: own(glossary.terms)
      .map(({ text, soundsLike }) => [text, ...soundsLike].map(quoted).join(" = "))
      .join("\n"),
    pairs: own(glossary.pairs)
      .map(({ wrong, right }) => `${quoted(wrong)} = ${quoted(right)}`)
      .join("\n"),
  };
}

export function settingsDialog(scope: Scope, channelName: string, view: ChannelView): types.ModalView {
  const shown = shownIn(view);
  const { used, budget } = view.promptTokens;
  return {
    type: "modal",
    callback_id: SETTINGS_DIALOG,
    private_metadata: JSON.stringify(scope),
    title: plain("Channel settings"),
    submit: plain("Save"),
    close: plain("Cancel"),
    blocks: [
      { type: "section", text: plain(`What holds in ${channelName}.`) },
      choice("auto", "What is transcribed", AUTO, shown.auto),
      textInput("language", "Languages spoken", {
        value: shown.language,
        hint: "Such as: English, German. Empty: found out each time.",
      }),
      // What does not fit into the dialog is changed by command, and is not cut off here.
      ...(shown.terms.length > INPUT_CHARACTERS
        ? []
        : [
            textInput("terms", "Names and terms, one a line", {
              value: shown.terms,
              isLong: true,
              hint: `Qavylow, or with how it is misheard: Qavylow = kah vee low. ${used} of ${budget} tokens are used.`,
            }),
          ]),
      ...(shown.pairs.length > INPUT_CHARACTERS
        ? []
        : [
            textInput("pairs", "Always replaced, one a line", {
              value: shown.pairs,
              isLong: true,
              hint: "Such as: cube control = kubectl",
            }),
          ]),
      choice("reply", "Where the answer goes", REPLY, shown.reply),
      checks("formats", "Files that come with longer answers", FILES, shown.formats),
      checks("extras", "More", EXTRAS, shown.extras),
      choice("tracks", "One speaker on each track or channel", TRACKS, shown.tracks),
      textInput("retention", "Transcripts are deleted after so many days", {
        value: shown.retention,
        hint: "Empty: they are kept.",
      }),
      ...(shown.editors === "" ? [] : [choice("editors", "Who may change this", EDITORS, shown.editors)]),
    ],
  };
}

export interface Order {
  readonly command: CommandName;
  readonly text: string;
}

/** A command for each thing that was changed, and none for what was not. */
export function ordersOf(state: ReturnType<typeof stateOf>, ids: ReadonlySet<string>, view: ChannelView): Order[] {
  const shown = shownIn(view);
  const orders: Order[] = [];
  const set = (name: string, value: string) => orders.push({ command: "earshot", text: `settings ${name} ${value}` });
  const jargon = (text: string) => orders.push({ command: "jargon", text });

  for (const name of ["auto", "reply", "tracks", "editors"] as const) {
    const value = state.chosen(name);
    if (value !== "" && value !== shown[name]) set(name, value);
  }
  const language = state.text("language");
  if (language !== shown.language) set("language", language === "" ? "auto" : language.replaceAll(/\s*[,;]\s*/g, " "));
  const formats = state.checked("formats");
  if (!isSame(formats, shown.formats)) set("formats", formats.length === 0 ? "none" : formats.join(" "));
  const extras = state.checked("extras");
  for (const { value = "" } of EXTRAS) {
    const isOn = extras.includes(value);
    if (isOn !== shown.extras.some((name) => name === value)) set(value, isOn ? "on" : "off");
  }
  const retention = state.text("retention");
  if (retention !== shown.retention) set("retention", retention === "" ? "forever" : retention);

  if (ids.has("terms")) {
    const { added, removed } = difference(shown.terms, state.text("terms"));
    const names = removed.map(nameOf).filter((name) => !added.some((line) => nameOf(line) === name));
    // A term that changed its forms is taken out first, so that the old ones go.
    const changed = removed.map(nameOf).filter((name) => added.some((line) => nameOf(line) === name));
    if (names.length + changed.length > 0) jargon(`remove ${[...names, ...changed].join(", ")}`);
    if (added.length > 0) jargon(`add ${added.join(", ")}`);
  }
  if (ids.has("pairs")) {
    const { added, removed } = difference(shown.pairs, state.text("pairs"));
    if (removed.length > 0) jargon(`pairs remove ${removed.map(nameOf).join(", ")}`);
    if (added.length > 0) jargon(`pairs add ${added.join(", ")}`);
  }
  return orders;
}

function difference(before: string, after: string) {
  const lines = (text: string) =>
    text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
  const [old, now] = [lines(before), lines(after)];
  return { added: now.filter((line) => !old.includes(line)), removed: old.filter((line) => !now.includes(line)) };
}

/** What stands before the first "=", with its quotes. */
function nameOf(line: string): string {
  return /^("(?:[^"\\]|\\.)*"|[^=]*?)\s*(?:=|$)/.exec(line)?.[1] ?? line;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}

/** A word that would be read as something else stands in quotes. */
function quoted(text: string): string {
  return /[,;=\n\t|"“”„«»→\\]|->|^[#*•-]|workspace/i.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text;
}
