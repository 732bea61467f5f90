// Interactions that can still be answered with their token: deferred at once, then edited, for 15 minutes.
import {
  type APIInteraction,
  type APIMessage,
  InteractionResponseType,
  MessageFlags,
  type REST,
  type RESTPostAPIInteractionCallbackWithResponseResult,
  Routes,
} from "discord.js";
import type { Place } from "../../core/recording.ts";
import type { Reply } from "../../core/reply.ts";
import { platformCall } from "./errors.ts";
import { bodyOfEdit, type MessageAt, messageId, withUploads } from "./messages.ts";
import { channelOf } from "./place.ts";
import { draw } from "./render.ts";

/** Ref: Discord, "Receiving and Responding": 15 minutes; a minute before, the answer moves to an ordinary message. */
const TOKEN_MS = 15 * 60_000;
const HANDOVER_MS = 14 * 60_000;
/** After this nobody asks any more whether a message was an interaction's. */
const FORGET_MS = 24 * 3_600_000;

const HANDOVER: Reply = {
  kind: "words",
  text: "This takes longer than Discord keeps this reply open. The answer comes in a message of its own.",
};

/** `?with_response=true` gives the message that the deferral made. */
const WITH_RESPONSE = new URLSearchParams({ with_response: "true" });

export interface Session {
  readonly isEphemeral: boolean;
  /** The message that "Earshot is thinking" became; undefined when Discord did not say. */
  readonly response: MessageAt | undefined;
  /** Replies of jobs that were asked for with this interaction, at this place, go through it. */
  isFor(place: Place): void;
  /** The interaction's own answer. @throws PlatformError */
  answer(reply: Reply): Promise<void>;
  /** A message beside it, which only the one who pressed sees when `isEphemeral`. @throws PlatformError */
  followUp(reply: Reply, isEphemeral: boolean): Promise<string>;
}

export interface Sessions {
  /** Acknowledges a command within Discord's 3 s. @throws PlatformError gone when they are over */
  defer(interaction: APIInteraction, isEphemeral: boolean): Promise<Session>;
  /** Acknowledges a button. */
  deferPress(interaction: APIInteraction): Promise<Session>;
  /** Posts a job's reply through the interaction that asked for it. undefined: there is none, or its time is over. */
  post(place: Place, reply: Reply): Promise<string | undefined>;
  /**
   * Edits a message which an interaction posted. "over": its time has passed, so a last word goes into an ordinary
   * message. undefined: no interaction that is known here posted it.
   */
  edit(at: MessageAt, reply: Reply): Promise<string | "over" | undefined>;
}

interface State {
  readonly application: string;
  readonly token: string;
  readonly startedAtMs: number;
  readonly mostBytes: number;
  readonly isEphemeral: boolean;
  readonly response: MessageAt | undefined;
  /** A job's status has taken the place of the interaction's own answer. */
  isTaken: boolean;
  /** Settles when the interaction has its own answer, so that a job's status comes after it. */
  readonly answered: Promise<void>;
}

export function createSessions(rest: REST, now: () => number): Sessions {
  const byPlace = new Map<string, State>();
  const byMessage = new Map<string, State>();

  const ageOf = (state: State) => now() - state.startedAtMs;

  function sweep(): void {
    for (const map of [byPlace, byMessage]) {
      for (const [key, state] of map) if (ageOf(state) > FORGET_MS) map.delete(key);
    }
  }

  async function acknowledge(interaction: APIInteraction, isEphemeral: boolean, body: object): Promise<Session> {
    sweep();
    const startedAtMs = now();
    const result = (await platformCall("the acknowledgement of a command", () =>
      rest.post(Routes.interactionCallback(interaction.id, interaction.token), {
        body,
        query: WITH_RESPONSE,
        auth: false,
      }),
    )) as RESTPostAPIInteractionCallbackWithResponseResult | undefined;
    const message = result?.resource?.message;
    let settle = () => {};
    const state: State = {
      application: interaction.application_id,
      token: interaction.token,
      startedAtMs,
      mostBytes: interaction.attachment_size_limit,
      isEphemeral,
      response: message === undefined ? undefined : { channel: message.channel_id, message: message.id },
      isTaken: false,
      answered: new Promise((resolve) => {
        settle = resolve;
      }),
    };
    return {
      isEphemeral,
      response: state.response,
      isFor(place) {
        byPlace.set(addressOf(place), state);
      },
      async answer(reply) {
        try {
          await edit(state, "@original", reply);
        } finally {
          settle();
        }
      },
      followUp: (reply, isPrivate) => followUp(state, reply, isPrivate),
    };
  }

  function edit({ application, token, mostBytes }: State, message: string, reply: Reply): Promise<unknown> {
    const { body, files } = draw(reply);
    return platformCall("an edit of a command's answer", () =>
      withUploads(files, mostBytes, ([group = []]) =>
        rest.patch(Routes.webhookMessage(application, token, message), {
          body: bodyOfEdit(body),
          files: group,
          auth: false,
        }),
      ),
    );
  }

  async function followUp(state: State, reply: Reply, isPrivate: boolean): Promise<string> {
    const { body, files } = draw(reply);
    const flags = isPrivate ? body.flags | MessageFlags.Ephemeral : body.flags;
    return platformCall("a command's answer", () =>
      withUploads(files, state.mostBytes, async (groups) => {
        let first: string | undefined;
        for (const group of groups) {
          const sent = (await rest.post(Routes.webhook(state.application, state.token), {
            body: { ...body, flags },
            files: group,
            query: new URLSearchParams({ wait: "true" }),
            auth: false,
          })) as APIMessage;
          const id = messageId({ channel: sent.channel_id, message: sent.id });
          byMessage.set(id, state);
          first ??= id;
        }
        return first ?? "";
      }),
    );
  }

  return {
    defer: (interaction, isEphemeral) =>
      acknowledge(interaction, isEphemeral, {
        type: InteractionResponseType.DeferredChannelMessageWithSource,
        data: { flags: isEphemeral ? MessageFlags.Ephemeral : 0 },
      }),

    deferPress: (interaction) =>
      acknowledge(interaction, false, { type: InteractionResponseType.DeferredMessageUpdate }),

    async post(place, reply) {
      const state = byPlace.get(addressOf(place));
      if (state === undefined || place.reach === "direct" || ageOf(state) >= HANDOVER_MS) return undefined;
      await state.answered;
      const isPrivate = place.reach === "only_me";
      const fits = isPrivate === state.isEphemeral && !state.isTaken && reply.kind !== "file";
      if (!fits || state.response === undefined) return followUp(state, reply, isPrivate);
      state.isTaken = true;
      await edit(state, "@original", reply);
      const id = messageId(state.response);
      byMessage.set(id, state);
      return id;
    },

    async edit(at, reply) {
      const id = messageId(at);
      const state = byMessage.get(id);
      if (state === undefined) return undefined;
      if (ageOf(state) >= TOKEN_MS) return reply.kind === "status" ? id : "over";
      const isLeaving = ageOf(state) >= HANDOVER_MS;
      if (isLeaving && reply.kind !== "status") return "over";
      const message = id === (state.response && messageId(state.response)) ? "@original" : at.message;
      await edit(state, message, isLeaving ? HANDOVER : reply);
      return id;
    },
  };
}

function addressOf(place: Place): string {
  return [channelOf(place), place.message, place.user].join("/");
}
