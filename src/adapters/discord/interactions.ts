// Commands and buttons: acknowledged at once, handed to the listener, answered through their token.
import {
  type APIApplicationCommandAutocompleteInteraction,
  type APIApplicationCommandInteraction,
  type APIInteraction,
  type APIMessageComponentInteraction,
  InteractionResponseType,
  InteractionType,
  type REST,
  Routes,
} from "discord.js";
import { PlatformError } from "../../core/errors.ts";
import type { Listener, Observe } from "../../core/ports.ts";
import type { Place, Recording } from "../../core/recording.ts";
import type { Reply } from "../../core/reply.ts";
import { suggest } from "./autocomplete.ts";
import type { Channels } from "./channels.ts";
import { actorOf, siteOfInteraction, type Used, usedIn } from "./invocation.ts";
import type { Messages } from "./messages.ts";
import { readMessageLink, recordingOfOption, recordingsOf } from "./parse.ts";
import { readButtonId } from "./render.ts";
import { brokeHere, noRecordingThere } from "./sentences.ts";
import type { Session, Sessions } from "./sessions.ts";

export interface InteractionParts {
  readonly rest: REST;
  readonly sessions: Sessions;
  readonly messages: Messages;
  readonly channels: Channels;
  readonly listener: Listener;
  /** Names that are suggested for a model. */
  readonly models: readonly string[];
  readonly observe: Observe;
}

/** Settles when the interaction is answered; never fails. */
export function createInteractions(parts: InteractionParts): (interaction: APIInteraction) => Promise<void> {
  const { observe } = parts;
  return async (interaction) => {
    try {
      switch (interaction.type) {
        case InteractionType.ApplicationCommand:
          return await command(interaction, parts);
        case InteractionType.MessageComponent:
          return await press(interaction, parts);
        case InteractionType.ApplicationCommandAutocomplete:
          return await complete(interaction, parts);
        case InteractionType.Ping:
        case InteractionType.ModalSubmit:
          return;
        default:
          return interaction satisfies never;
      }
    } catch (error) {
      observe({ kind: "unexpected", where: "a Discord interaction", error });
    }
  };
}

async function command(interaction: APIApplicationCommandInteraction, parts: InteractionParts): Promise<void> {
  const used = usedIn(interaction);
  if (used === undefined) return;
  const session = await deferred(interaction, used.isPrivate, parts);
  const place = placeFor(interaction, used, session);
  session?.isFor(place);
  let reply: Reply;
  try {
    reply = await answerTo(interaction, used, place, parts);
  } catch (error) {
    parts.observe({ kind: "unexpected", where: "a Discord command", error });
    reply = brokeHere;
  }
  if (session !== undefined) return session.answer(reply);
  const reach = used.isPrivate ? "only_me" : place.reach;
  await parts.messages.post({ ...place, reach }, reply, { key: `interaction:${interaction.id}` });
}

/** undefined: Discord no longer waits for this interaction; its work is done all the same. */
async function deferred(
  interaction: APIInteraction,
  isPrivate: boolean,
  { sessions, observe }: InteractionParts,
): Promise<Session | undefined> {
  try {
    return await sessions.defer(interaction, isPrivate);
  } catch (error) {
    if (!(error instanceof PlatformError && error.code === "gone")) throw error;
    observe({ kind: "unexpected", where: "acknowledging a Discord command in time", error });
    return undefined;
  }
}

/** The answer's place: under the message that a message command was used on, else under the command itself. */
function placeFor(interaction: APIInteraction, used: Used, session: Session | undefined): Place {
  const site = siteOfInteraction(interaction);
  const linked = used.link === undefined ? undefined : readMessageLink(used.link);
  const isHere = linked?.channel === (site.thread ?? site.channel);
  const message = used.target?.id ?? (isHere ? linked?.message : undefined) ?? session?.response?.message;
  const reach = used.isPrivate && used.command === "transcribe" ? "only_me" : "thread";
  return { ...site, ...(message === undefined ? {} : { message }), user: actorOf(interaction).user, reach };
}

async function answerTo(
  interaction: APIApplicationCommandInteraction,
  { command: name, text, file, link, target }: Used,
  place: Place,
  { listener, channels }: InteractionParts,
): Promise<Reply> {
  const site = siteOfInteraction(interaction);
  const actor = actorOf(interaction);
  let recordings: readonly Recording[] = [];
  if (file !== undefined) {
    const recording = recordingOfOption(file, place, interaction.id);
    if (recording === undefined) return noRecordingThere;
    recordings = [recording];
  } else if (target !== undefined) {
    recordings = recordingsOf(target, site, { keepsUrl: true });
    if (recordings.length === 0) return noRecordingThere;
  }
  return listener.command({
    command: name,
    text: link === undefined ? text : `${withProtocol(link)} ${text}`.trim(),
    place,
    actor,
    recordings,
    resolveLink: (each) => channels.linked(each, site, actor.user),
  });
}

/** A link without its beginning is still read as a link, and answered as one that leads nowhere. */
function withProtocol(link: string): string {
  return /^<?https?:\/\//i.test(link) ? link : `https://${link}`;
}

async function press(interaction: APIMessageComponentInteraction, parts: InteractionParts): Promise<void> {
  const button = readButtonId(interaction.data.custom_id);
  if (button === undefined) return;
  const session = await parts.sessions.deferPress(interaction);
  const actor = actorOf(interaction);
  const { message } = interaction;
  const place: Place = {
    ...siteOfInteraction(interaction),
    message: message.message_reference?.message_id ?? message.id,
    user: actor.user,
    reach: "thread",
  };
  let reply: Reply | undefined;
  try {
    reply = await parts.listener.press({ ...button, place, actor });
  } catch (error) {
    parts.observe({ kind: "unexpected", where: "a Discord button", error });
    reply = brokeHere;
  }
  if (reply !== undefined) await session.followUp(reply, true);
}

async function complete(
  interaction: APIApplicationCommandAutocompleteInteraction,
  { rest, listener, models }: InteractionParts,
): Promise<void> {
  const data = await suggest(interaction, models, () => listener.channel(siteOfInteraction(interaction)));
  const body = { type: InteractionResponseType.ApplicationCommandAutocompleteResult, data };
  await rest.post(Routes.interactionCallback(interaction.id, interaction.token), { body, auth: false });
}
