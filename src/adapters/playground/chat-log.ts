// The playground's chat, kept on disk: what the page shows, and what it has missed.
import type { Reply } from "../../core/reply.ts";

export interface ChatMessage {
  readonly id: string;
  readonly channel: string;
  /** The message that this one answers. */
  readonly thread?: string;
  readonly author: string;
  readonly createdAtMs: number;
  /** null once it is deleted. */
  readonly body: ChatBody | null;
  /** Grows with every change of any message, so that a page can ask for what it has missed. */
  readonly revision: number;
}

export type ChatBody =
  | { readonly kind: "text"; readonly text: string }
  | ChatRecording
  | { readonly kind: "reply"; readonly reply: Reply };

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
  /** Writes a message, or the new body of the one that has this key already. */
  put(key: string, message: Omit<ChatMessage, "revision">): ChatMessage;
  /** undefined: there is no such message, or it is deleted. */
  edit(id: string, body: ChatBody): ChatMessage | undefined;
  delete(id: string): ChatMessage | undefined;
  get(id: string): ChatMessage | undefined;
  /** What has changed after a revision, oldest change first; deleted messages among them. */
  since(revision: number, limit: number): readonly ChatMessage[];
  /** The newest messages, oldest first; deleted ones among them. */
  newest(limit: number): readonly ChatMessage[];
}
