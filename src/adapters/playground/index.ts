// The playground as a chat platform: a page on this machine, so that Earshot can be tried without any account.
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { FastifyPluginAsync } from "fastify";
import { PlatformError } from "../../core/errors.ts";
import type { Listener, Platform } from "../../core/ports.ts";
import type { Place } from "../../core/recording.ts";
import type { ChatBody, ChatLog, ChatMessage } from "./chat-log.ts";
import { createRoutes } from "./routes.ts";

export interface PlaygroundOptions {
  readonly chatLog: ChatLog;
  /** Where what people send lies. */
  readonly folder: string;
  readonly limits: { readonly bytes: number };
  /** Recordings that are offered to be sent. */
  readonly samples: { readonly folder: string; readonly files: readonly string[] };
  readonly now: () => number;
}

export interface Playground {
  readonly platform: Platform;
  readonly plugin: FastifyPluginAsync;
}

/** The chat as the routes see it. */
export interface Chat {
  readonly log: ChatLog;
  /** "message" with each message that is new or has changed. */
  readonly changes: EventEmitter<{ message: [ChatMessage] }>;
  readonly listener: () => Listener;
  say(author: "you" | "earshot", channel: string, body: ChatBody, thread?: string): ChatMessage;
  remove(id: string): void;
}

export function createPlayground(options: PlaygroundOptions): Playground {
  const { chatLog: log, folder, now } = options;
  const changes = new EventEmitter<{ message: [ChatMessage] }>();
  // One for each open page.
  changes.setMaxListeners(0);
  let listener: Listener | undefined;

  function put(author: string, channel: string, body: ChatBody, thread?: string, key?: string): ChatMessage {
    const id = randomUUID();
    const message = { id, channel, author, createdAtMs: now(), body, ...(thread === undefined ? {} : { thread }) };
    return told(log.put(key ?? id, message));
  }

  function told(message: ChatMessage): ChatMessage {
    changes.emit("message", message);
    return message;
  }

  const chat: Chat = {
    log,
    changes,
    listener() {
      if (listener === undefined) throw new PlatformError("unavailable", "Earshot is still starting.");
      return listener;
    },
    say: put,
    remove(id) {
      const removed = log.delete(id);
      if (removed !== undefined) told(removed);
    },
  };

  return {
    plugin: createRoutes(chat, options),
    platform: {
      name: "playground",
      editEveryMs: 250,

      async listen(newListener) {
        listener = newListener;
      },

      async download(recording, toPath, signal) {
        const from = join(folder, recording.source["media"] ?? "");
        try {
          await pipeline(createReadStream(from), createWriteStream(toPath, { mode: 0o600 }), { signal });
        } catch (cause) {
          signal.throwIfAborted();
          const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
          if (code !== "ENOENT") throw cause;
          throw new PlatformError("gone", "The recording was deleted from the playground.", { cause });
        }
      },

      async reply(place, reply, { key, editId }) {
        const body: ChatBody = { kind: "reply", reply };
        if (editId !== undefined) {
          const edited = log.edit(editId, body);
          if (edited === undefined) throw new PlatformError("gone", "The message was deleted from the playground.");
          return told(edited).id;
        }
        // A key that an attempt used which died before it could save the id gives that message back.
        return put("earshot", channelFor(place), body, place.reach === "thread" ? place.message : undefined, key).id;
      },
    },
  };
}

function channelFor(place: Place): string {
  return place.reach === "direct" ? "direct" : place.channel;
}
