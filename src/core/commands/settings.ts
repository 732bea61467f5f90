// /earshot settings [name value] [--workspace]
import { UserError } from "../errors.ts";
import { closeLanguages, LANGUAGES, languageCode } from "../languages.ts";
import * as messages from "../messages.ts";
import type { Invocation } from "../ports.ts";
import { mayEdit } from "../rights.ts";
import { effectiveSettings, FORMATS, type Settings } from "../settings.ts";
import type { CommandParts } from "./parts.ts";
import { didYouMean, levelOf, nearest } from "./words.ts";

interface Choice<Value> extends Hint {
  /** undefined: cannot be read. */
  read(words: readonly string[], parts: CommandParts): Value | undefined;
  show(value: Value): string;
}

interface Hint {
  /** What may be said, with an example. */
  readonly takes: string;
  /** What a word that cannot be read may have meant. */
  meant?(word: string, parts: CommandParts): string | undefined;
}

const yesNo: Choice<boolean> = {
  takes: "on or off",
  read: ([word = ""]) => (/^(on|yes|true)$/i.test(word) ? true : /^(off|no|false)$/i.test(word) ? false : undefined),
  show: (value) => (value ? "on" : "off"),
};

function oneOf<const Name extends string>(names: Readonly<Record<Name, string>>): Choice<Name> {
  const all = Object.keys(names) as Name[];
  return {
    takes: all.join(", "),
    read: (words) => all.find((name) => name === words.join("_").toLowerCase().replace(/[- ]/g, "_")),
    meant: (word) => nearest(word, all),
    show: (value) => `${value.replaceAll("_", "-")} (${names[value]})`,
  };
}

/** A limit is taken back with "none", so that the next wider one holds. */
function most(of: string): Choice<number> {
  return {
    takes: `a number of ${of}, or none`,
    read: ([word = ""]) => (/^\d{1,7}$/.test(word) && Number(word) > 0 ? Number(word) : undefined),
    show: (value) => `at most ${value} ${of}`,
  };
}

/** What only administrators set, whoever may edit all else: else everybody could take more. */
const LIMITS = {
  "minutes-per-user": "minutesPerUser",
  "minutes-per-channel": "minutesPerChannel",
  "minutes-per-workspace": "minutesPerWorkspace",
  "jobs-per-user": "jobsPerUser",
  "max-minutes": "maxMinutes",
  "max-megabytes": "maxMegabytes",
} as const satisfies Readonly<Record<string, keyof Settings>>;

type LimitName = keyof typeof LIMITS;

function isLimit(name: string): name is LimitName {
  return Object.hasOwn(LIMITS, name);
}

/** Name as it is typed -> the setting it is and how it is read. */
const CHOICES = {
  auto: oneOf({ off: "only when asked", voice: "voice messages by themselves", all: "all recordings by themselves" }),
  language: {
    takes: "auto, a language such as german, or several: english german",
    read(words) {
      if (words.length === 1 && /^(auto|any|all)$/i.test(words[0] ?? "")) return [];
      const codes = words
        .flatMap((word) => word.split(","))
        .filter(Boolean)
        .map(languageCode);
      return codes.length > 0 && codes.every((code) => code !== undefined)
        ? [...new Set(codes.filter((code) => code !== undefined))]
        : undefined;
    },
    show: (codes) => (codes.length === 0 ? "auto" : codes.map((code) => LANGUAGES[code] ?? code).join(" or ")),
    meant: (word) => (languageCode(word) === undefined ? closeLanguages(word)[0] : undefined),
  } satisfies Choice<readonly string[]>,
  model: {
    takes: "auto, or a name such as base or large-v3-turbo",
    read: ([word = ""], { models }) => ["auto", ...models].find((name) => name === word.toLowerCase()),
    show: (name) => name,
    meant: (word, { models }) => nearest(word, models),
  } satisfies Choice<string>,
  translate: yesNo,
  timestamps: yesNo,
  reply: oneOf({
    thread: "under the recording",
    channel: "in the channel",
    only_me: "only the asker sees it",
    direct: "as a direct message",
  }),
  formats: {
    takes: `none, or of ${FORMATS.join(", ")}`,
    read(words) {
      const names = words.flatMap((word) => word.toLowerCase().split(",")).filter(Boolean);
      if (names.length === 1 && names[0] === "none") return [];
      const formats = names.map((name) => FORMATS.find((format) => format === name));
      return formats.length > 0 && formats.every((format) => format !== undefined)
        ? [...new Set(formats.filter((format) => format !== undefined))]
        : undefined;
    },
    show: (formats) => (formats.length === 0 ? "none" : formats.join(", ")),
    meant: (word) => (FORMATS.some((format) => format === word) ? undefined : nearest(word, FORMATS)),
  } satisfies Choice<Settings["formats"]>,
  retention: {
    takes: "a number of days, or forever",
    read([word = ""]) {
      if (/^(forever|never|none)$/i.test(word)) return Number.POSITIVE_INFINITY;
      return /^\d{1,4}$/.test(word) && Number(word) > 0 ? Number(word) : undefined;
    },
    show: (days) => (days === Number.POSITIVE_INFINITY ? "forever" : `${days} days`),
  } satisfies Choice<number>,
  editors: {
    takes: "admins, everyone, or ids of roles",
    read: (words) => {
      const [first = ""] = words;
      if (words.length === 0) return undefined;
      if (words.length === 1 && /^(admins|everyone)$/i.test(first)) {
        return first.toLowerCase() === "admins" ? "admins" : "everyone";
      }
      return words.map((word) => word.replace(/^<@&|>$/g, "").replace(/,$/, ""));
    },
    show: (editors) => (typeof editors === "string" ? editors : `admins and ${editors.join(", ")}`),
  } satisfies Choice<Settings["editors"]>,
  verbatim: yesNo,
  "minutes-per-user": most("minutes of audio a day"),
  "minutes-per-channel": most("minutes of audio a day"),
  "minutes-per-workspace": most("minutes of audio a day"),
  "jobs-per-user": most("recordings at once"),
  "max-minutes": most("minutes long"),
  "max-megabytes": most("MB large"),
  mixed: yesNo,
  tracks: oneOf({
    auto: "a speaker on each, where the sound shows it",
    on: "always a speaker on each track or channel",
    off: "all sound together",
  }),
  chapters: yesNo,
} as const;

type ChoiceName = keyof typeof CHOICES;

function isChoice(name: string): name is ChoiceName {
  return Object.hasOwn(CHOICES, name);
}

/** @throws UserError */
export async function settings(words: readonly string[], invocation: Invocation, parts: CommandParts): Promise<string> {
  const { level, words: rest } = levelOf(words);
  const [rawName, ...values] = rest.filter((word) => word !== "=");
  const { place, actor } = invocation;
  const [workspace, own] = [await parts.settings.workspace(place), await parts.settings.channel(place)];
  const effective = effectiveSettings(workspace, own);
  if (rawName === undefined)
    return `${shown(effective, own).join("\n")}\nChange one: \`/earshot settings language german\``;
  const name = rawName.toLowerCase();
  if (!isChoice(name)) {
    throw new UserError(
      "bad_option",
      `${didYouMean("setting", rawName, Object.keys(CHOICES))} See \`/earshot settings\`.`,
    );
  }
  if (values.length === 0) return `${shownOne(name, effective)}. It takes ${CHOICES[name].takes}, or default.`;
  if (isLimit(name)) {
    if (!actor.isAdmin) throw new UserError("not_allowed", messages.notAllowed("admins"));
    if (name === "minutes-per-workspace" && level === "channel") {
      throw new UserError(
        "bad_option",
        `That is for the whole workspace: \`/earshot settings ${name} ${values.join(" ")} --workspace\``,
      );
    }
  } else if (!(await mayEdit(actor, place, parts.settings, level))) {
    const { editors } = level === "channel" ? effective : effectiveSettings(workspace, {});
    throw new UserError("not_allowed", messages.notAllowed(editors));
  }
  const isCleared =
    values.length === 1 && (isLimit(name) ? /^(default|none|off)$/i : /^default$/i).test(values[0] ?? "");
  const change = isCleared ? cleared(name) : read(name, values, parts);
  await parts.settings.change(place, level, change, actor.user);
  const now = effectiveSettings(await parts.settings.workspace(place), await parts.settings.channel(place));
  return `${shownOne(name, now)}${level === "workspace" ? ", for all channels that chose nothing else" : ""}.`;
}

type SettingsChange = Parameters<CommandParts["settings"]["change"]>[2];

/** @throws UserError bad_option */
function read(name: ChoiceName, values: readonly string[], parts: CommandParts): SettingsChange {
  const value = CHOICES[name].read(values, parts);
  if (value !== undefined)
    return { [settingOf(name)]: name === "retention" && value === Number.POSITIVE_INFINITY ? FOREVER : value };
  const choice: Hint = CHOICES[name];
  const meant = values
    .flatMap((word) => word.split(","))
    .map((word) => choice.meant?.(word, parts))
    .find((word) => word !== undefined);
  const hint = meant === undefined ? "" : ` Did you mean ${meant}?`;
  throw new UserError(
    "bad_option",
    `The setting ${name} cannot be "${values.join(" ")}".${hint} It takes ${CHOICES[name].takes}, or default.`,
  );
}

/** Long enough for a company, and a choice of its own against a workspace that deletes earlier. */
const FOREVER = 36_500;

function cleared(name: ChoiceName): SettingsChange {
  return { [settingOf(name)]: null };
}

function settingOf(name: ChoiceName): keyof Settings {
  if (isLimit(name)) return LIMITS[name];
  return name === "language" ? "languages" : name === "retention" ? "retentionDays" : name;
}

function shown(effective: Settings, own: Partial<Settings>): string[] {
  return Object.keys(CHOICES)
    .filter(isChoice)
    .filter((name) => !isLimit(name) || effective[LIMITS[name]] !== null)
    .map((name) => `- ${shownOne(name, effective)}${settingOf(name) in own ? "" : ", as everywhere"}`);
}

function shownOne(name: ChoiceName, settings: Settings): string {
  return `${name}: ${valueText(name, settings)}`;
}

function valueText(name: ChoiceName, settings: Settings): string {
  switch (name) {
    case "language":
      return CHOICES.language.show(settings.languages);
    case "retention": {
      const days = settings.retentionDays ?? FOREVER;
      return CHOICES.retention.show(days >= FOREVER ? Number.POSITIVE_INFINITY : days);
    }
    case "auto":
      return CHOICES.auto.show(settings.auto);
    case "reply":
      return CHOICES.reply.show(settings.reply);
    case "model":
      return CHOICES.model.show(settings.model);
    case "formats":
      return CHOICES.formats.show(settings.formats);
    case "tracks":
      return CHOICES.tracks.show(settings.tracks);
    case "editors":
      return CHOICES.editors.show(settings.editors);
    case "translate":
    case "timestamps":
    case "verbatim":
    case "mixed":
    case "chapters":
      return yesNo.show(settings[name]);
    default: {
      const value = settings[LIMITS[name]];
      return value === null ? "no limit of its own" : CHOICES[name].show(value);
    }
  }
}
