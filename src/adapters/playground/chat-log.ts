// The playground's chat, kept on disk: what the page shows, and what it has missed.
import type { Reply } from "../../core/reply.ts";

export interface ChatMessage {
  readonly id: string;
  readonly channel: string;
  /** The message that this one answers. */
  readonly answers?: string;
  readonly author: "you" | "earshot";
  readonly createdAtMs: number;
  /** Grows with every change of any message, so that a page can ask for what it has missed. */
  readonly revision: number;
  readonly body: ChatBody;
}

export type ChatBody =
  | { readonly kind: "text"; readonly text: string }
  | ChatRecording
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "deleted" };

export interface ChatRecording {
  readonly kind: "recording";
  /** Name of the file in the playground's folder. */
  readonly media: string;
  readonly name: string;
  readonly mimeType: string;
  readonly bytes: number;
  readonly isVoice: boolean;
  readonly durationSeconds?: number;
  readonly isForwarded: boolean;
}

export interface ChatLog {
  /** Adds a message. One with the key of an earlier one is not added again: the earlier one is given back. */
  add(message: Omit<ChatMessage, "revision">, postingKey?: string): ChatMessage;
  /** undefined: there is no such message any more. */
  edit(id: string, body: ChatBody): ChatMessage | undefined;
  get(id: string): ChatMessage | undefined;
  /** What has changed after a revision, oldest change first. */
  since(revision: number, limit: number): readonly ChatMessage[];
  /** The newest messages, oldest first. */
  newest(limit: number): readonly ChatMessage[];
}
