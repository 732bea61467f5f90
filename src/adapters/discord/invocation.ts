// A command that was used on Discord -> the words of Earshot's own grammar. Pure.
import {
  type APIApplicationCommandInteraction,
  type APIApplicationCommandInteractionDataBasicOption,
  type APIAttachment,
  type APIInteraction,
  type APIMessage,
  ApplicationCommandOptionType,
  ApplicationCommandType,
  InteractionContextType,
  PermissionFlagsBits,
  PermissionsBitField,
} from "discord.js";
import { type Actor, COMMAND_NAMES, type CommandName } from "../../core/ports.ts";
import { MESSAGE_COMMANDS } from "./commands.ts";
import { type Site, siteOf } from "./place.ts";

export interface Used {
  readonly command: CommandName;
  readonly text: string;
  /** Of the option `file`. */
  readonly file?: APIAttachment;
  /** Of the option `message`. */
  readonly link?: string;
  /** The message which a message command was used on. */
  readonly target?: APIMessage;
  readonly isPrivate: boolean;
}

/** undefined: a command that Earshot does not have any more. */
export function usedIn({ data }: APIApplicationCommandInteraction): Used | undefined {
  if (data.type === ApplicationCommandType.Message) {
    const target = data.resolved.messages[data.target_id];
    const isPrivate = data.name === MESSAGE_COMMANDS.private;
    return target === undefined ? undefined : { command: "transcribe", text: "", target, isPrivate };
  }
  if (data.type !== ApplicationCommandType.ChatInput) return undefined;
  const command = COMMAND_NAMES.find((name) => name === data.name);
  if (command === undefined) return undefined;
  const [first] = data.options ?? [];
  if (first?.type === ApplicationCommandOptionType.Subcommand) {
    const text = textOfSubcommand(first.name, valuesOf(first.options ?? []));
    // Words and settings concern the channel; the one who asks is the one who wants to read them.
    return { command, text, isPrivate: true };
  }
  const values = valuesOf((data.options ?? []) as APIApplicationCommandInteractionDataBasicOption[]);
  const file = data.resolved?.attachments?.[String(values.get("file"))];
  const link = values.get("message");
  const words = [values.get("language"), values.get("model"), values.get("format")];
  if (values.get("translate") === true) words.push("translate");
  return {
    command,
    text: words.filter((word) => word !== undefined).join(" "),
    ...(file === undefined ? {} : { file }),
    ...(typeof link === "string" ? { link } : {}),
    isPrivate: values.get("only_me") === true,
  };
}

type Values = ReadonlyMap<string, string | number | boolean>;

export function valuesOf(options: readonly APIApplicationCommandInteractionDataBasicOption[]): Values {
  return new Map(options.map(({ name, value }) => [name, value]));
}

function textOfSubcommand(name: string, values: Values): string {
  const words: (string | number | boolean | undefined)[] = [];
  if (name === "replace") words.push("pairs add", `${values.get("heard")} = ${values.get("meant")}`);
  else if (name === "unreplace") words.push("pairs remove", values.get("heard"));
  else words.push(name, ...[...values].filter(([key]) => key !== "all_channels").map(([, value]) => value));
  if (values.get("all_channels") === true) words.push("--workspace");
  return words.join(" ");
}

export function siteOfInteraction(interaction: APIInteraction): Site {
  const { channel, guild_id: guildId, context } = interaction;
  const isDirect = context === InteractionContextType.BotDM;
  const parent = channel !== undefined && "parent_id" in channel ? channel.parent_id : undefined;
  const facts = { id: channel?.id ?? "", type: channel?.type ?? 0, ...(parent == null ? {} : { parent_id: parent }) };
  return siteOf(facts, guildId, isDirect);
}

export function actorOf(interaction: APIInteraction): Actor {
  const { member, user } = interaction;
  const permissions = new PermissionsBitField(BigInt(member?.permissions ?? 0));
  return {
    user: member?.user.id ?? user?.id ?? "",
    // Among people of a direct message nobody is above the others.
    isAdmin: member !== undefined && permissions.has(PermissionFlagsBits.ManageGuild),
    roles: member?.roles ?? [],
  };
}
