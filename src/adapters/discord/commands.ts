// The slash and message commands that Discord is told of, and their registration.
import {
  type APIApplicationCommandBasicOption,
  type APIApplicationCommandSubcommandOption,
  ApplicationCommandOptionType,
  ApplicationCommandType,
  ApplicationIntegrationType,
  InteractionContextType,
  type REST,
  type RESTPostAPIApplicationCommandsJSONBody,
  Routes,
} from "discord.js";
import { FORMATS } from "../../core/settings.ts";
import { platformCall } from "./errors.ts";

/** Names of the message commands; the second answers so that nobody else sees it. */
export const MESSAGE_COMMANDS = { shared: "Transcribe", private: "Transcribe (only me)" } as const;

/** In servers, with the bot and between people; installed by a server or by a person. */
const EVERYWHERE = {
  contexts: [InteractionContextType.Guild, InteractionContextType.BotDM, InteractionContextType.PrivateChannel],
  integration_types: [ApplicationIntegrationType.GuildInstall, ApplicationIntegrationType.UserInstall],
};

const SETTING_NAMES = [
  "auto",
  "language",
  "model",
  "translate",
  "timestamps",
  "reply",
  "formats",
  "retention",
  "editors",
  "verbatim",
  "mixed",
  "tracks",
  "chapters",
];

function text(name: string, description: string, more: { required?: true; autocomplete?: true } = {}) {
  return { type: ApplicationCommandOptionType.String, name, description, ...more } as const;
}

function choice(name: string, description: string, values: readonly string[]) {
  const choices = values.map((value) => ({ name: value, value }));
  return { type: ApplicationCommandOptionType.String, name, description, choices } as const;
}

function yesNo(name: string, description: string) {
  return { type: ApplicationCommandOptionType.Boolean, name, description } as const;
}

function sub(name: string, description: string, options: APIApplicationCommandBasicOption[] = []) {
  const type = ApplicationCommandOptionType.Subcommand;
  return { type, name, description, options } satisfies APIApplicationCommandSubcommandOption;
}

const allChannels = yesNo("all_channels", "For the whole server, not only for this channel");

export const COMMANDS: readonly RESTPostAPIApplicationCommandsJSONBody[] = [
  { type: ApplicationCommandType.Message, name: MESSAGE_COMMANDS.shared, ...EVERYWHERE },
  { type: ApplicationCommandType.Message, name: MESSAGE_COMMANDS.private, ...EVERYWHERE },
  {
    type: ApplicationCommandType.ChatInput,
    name: "transcribe",
    description: "Turn a recording into text: a file, a linked message, or the newest one here",
    ...EVERYWHERE,
    options: [
      { type: ApplicationCommandOptionType.Attachment, name: "file", description: "An audio or video file" },
      text("message", "Link to a message that has a recording"),
      text("language", "The language that is spoken; found out by itself when left out", { autocomplete: true }),
      text("model", "The model to use; the channel's own when left out", { autocomplete: true }),
      yesNo("translate", "Into English"),
      choice("format", "Also as a file", FORMATS),
      yesNo("only_me", "Nobody else sees the answer"),
    ],
  },
  {
    type: ApplicationCommandType.ChatInput,
    name: "jargon",
    description: "The names and terms of this channel, so that they are spelled right",
    ...EVERYWHERE,
    options: [
      sub("list", "Shows the words"),
      sub("add", "Adds words", [
        text("terms", "Separated by commas; Qavylow = kah vee low says how it is misheard", { required: true }),
        allChannels,
      ]),
      sub("remove", "Removes a word", [text("term", "The word", { required: true, autocomplete: true }), allChannels]),
      sub("replace", "Always writes one thing in place of another", [
        text("heard", "What the model writes", { required: true }),
        text("meant", "What is meant", { required: true }),
        allChannels,
      ]),
      sub("unreplace", "Takes a replacement back", [
        text("heard", "What the model writes", { required: true, autocomplete: true }),
        allChannels,
      ]),
      sub("prompt", "Sets a text that tells the model how to write", [
        text("text", "The text; none takes it back", { required: true }),
        allChannels,
      ]),
      sub("export", "All words as a file"),
      sub("try", "Hears the newest recording again with the words as they are now"),
      sub("help", "How it works"),
    ],
  },
  {
    type: ApplicationCommandType.ChatInput,
    name: "earshot",
    description: "Settings, statistics and search",
    ...EVERYWHERE,
    options: [
      sub("settings", "Shows or changes the settings", [
        choice("name", "The setting", SETTING_NAMES),
        text("value", "The new value; default takes it back", { autocomplete: true }),
        allChannels,
      ]),
      sub("stats", "What was transcribed, and what it saved"),
      sub("search", "Finds words in this channel's transcripts", [text("words", "The words", { required: true })]),
      sub("forget", "Deletes transcripts for good", [
        text("what", "A job's number, or all for this channel", { required: true }),
      ]),
      sub("help", "How it works"),
    ],
  },
];

/**
 * Tells Discord of the commands unless it knows them: globally, or in the named guilds, where they show at once.
 * @returns how many lists were written
 * @throws PlatformError
 */
export async function registerCommands(
  rest: REST,
  applicationId: string,
  guildIds: readonly string[] = [],
): Promise<number> {
  const routes =
    guildIds.length === 0
      ? [Routes.applicationCommands(applicationId)]
      : guildIds.map((guildId) => Routes.applicationGuildCommands(applicationId, guildId));
  let written = 0;
  for (const route of routes) {
    const known = await platformCall("the list of commands", () => rest.get(route));
    if (isSame(COMMANDS, known)) continue;
    await platformCall("the commands", () => rest.put(route, { body: COMMANDS }));
    written++;
  }
  return written;
}

function isSame(wanted: readonly RESTPostAPIApplicationCommandsJSONBody[], known: unknown): boolean {
  if (!Array.isArray(known) || known.length !== wanted.length) return false;
  return wanted.every((command) =>
    known.some((each) => each.name === command.name && each.type === command.type && covers(each, command)),
  );
}

/** All of `wanted` is in `known`, which has ids, versions and defaults besides. An option taken out shows in a length. */
function covers(known: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    const list = Array.isArray(known) ? known : [];
    return list.length === wanted.length && wanted.every((each, index) => covers(list[index], each));
  }
  if (typeof wanted === "object" && wanted !== null) {
    const has = Object(known) as Record<string, unknown>;
    return Object.entries(wanted).every(
      // Discord leaves empty lists out.
      ([key, value]) => covers(has[key] ?? (Array.isArray(value) ? [] : undefined), value),
    );
  }
  return known === wanted;
}
