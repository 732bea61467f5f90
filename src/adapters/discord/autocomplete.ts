// What Discord suggests while somebody types: terms, languages, models and the values of settings.
import {
  type APIApplicationCommandAutocompleteInteraction,
  type APIApplicationCommandInteractionDataBasicOption,
  type APICommandAutocompleteInteractionResponseCallbackData,
  ApplicationCommandOptionType,
} from "discord.js";
import { LANGUAGES } from "../../core/languages.ts";
import type { ChannelView } from "../../core/ports.ts";
import { FORMATS } from "../../core/settings.ts";
import { valuesOf } from "./invocation.ts";

type Suggestions = APICommandAutocompleteInteractionResponseCallbackData;

/** Ref: Discord, "Autocomplete": up to 25 choices of up to 100 characters. */
const MOST_CHOICES = 25;
const MOST_CHARACTERS = 100;

const YES_NO = ["on", "off"];
const LANGUAGE_NAMES = Object.values(LANGUAGES).map((name) => name.toLowerCase());

/** Setting -> what it takes, for those that have a list. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  auto: ["off", "voice", "all"],
  language: ["auto", ...LANGUAGE_NAMES],
  translate: YES_NO,
  timestamps: YES_NO,
  reply: ["thread", "channel", "only_me", "direct"],
  formats: ["none", ...FORMATS],
  retention: ["forever", "7", "30", "90", "365"],
  editors: ["admins", "everyone"],
  verbatim: YES_NO,
  mixed: YES_NO,
  tracks: ["auto", "on", "off"],
  chapters: YES_NO,
};

/** @param view of the channel; asked for only where its words are suggested */
export async function suggest(
  { data }: Pick<APIApplicationCommandAutocompleteInteraction, "data">,
  models: readonly string[],
  view: () => Promise<ChannelView>,
): Promise<Suggestions> {
  const options = (data.options ?? []).flatMap((option) =>
    option.type === ApplicationCommandOptionType.Subcommand
      ? (option.options ?? [])
      : [option as APIApplicationCommandInteractionDataBasicOption],
  );
  const focused = options.find((option) => "focused" in option && option.focused);
  if (focused === undefined) return { choices: [] };
  const values = await valuesFor(focused.name, options, models, view);
  return { choices: matching(values, String(focused.value)).map((value) => ({ name: value, value })) };
}

async function valuesFor(
  name: string,
  options: readonly APIApplicationCommandInteractionDataBasicOption[],
  models: readonly string[],
  view: () => Promise<ChannelView>,
): Promise<readonly string[]> {
  switch (name) {
    case "language":
      return LANGUAGE_NAMES;
    case "model":
      return ["auto", ...models];
    case "term":
      return (await view()).glossary.terms.map((term) => term.text);
    case "heard":
      return (await view()).glossary.pairs.map((pair) => pair.wrong);
    case "value": {
      const setting = String(valuesOf(options).get("name"));
      const known = setting === "model" ? ["auto", ...models] : (VALUES[setting] ?? []);
      return [...known, "default"];
    }
    default:
      return [];
  }
}

/** Those that begin with what was typed, then those that have it inside. */
function matching(values: readonly string[], typed: string): string[] {
  const wanted = typed.trim().toLowerCase();
  const place = (value: string) => value.toLowerCase().indexOf(wanted);
  return values
    .filter((value) => value.length <= MOST_CHARACTERS && place(value) >= 0)
    .toSorted((a, b) => Math.min(1, place(a)) - Math.min(1, place(b)))
    .slice(0, MOST_CHOICES);
}
