// A durable log of chat messages, for a platform that has no server of its own: the playground.
import type { Database } from "./database.ts";

export interface ChatMessage {
  readonly id: string;
  readonly channel: string;
  /** Id of the message that the thread hangs under. */
  readonly thread?: string;
  readonly author: string;
  readonly createdAtMs: number;
  /** Plain JSON. */
  readonly body: unknown;
  readonly deletedAtMs?: number;
  /** Grows with every change in any channel, so that a page can ask for what it has missed. */
  readonly revision: number;
}

export interface ChatLog {
  /**
   * Writes a message, or the new body of the one with this posting key.
   *
   * @param key the same each time the same thing is posted; the first id stays
   */
  put(key: string, message: Omit<ChatMessage, "revision" | "deletedAtMs">): ChatMessage;
  /** Undefined: there is no such message, or it is deleted. */
  edit(id: string, body: unknown): ChatMessage | undefined;
  /** The body goes for good, the message stays as a deleted one. */
  delete(id: string): ChatMessage | undefined;
  get(id: string): ChatMessage | undefined;
  /** Changes after a revision in the order in which they came about; deleted messages among them. */
  since(channel: string, revision: number, limit: number): readonly ChatMessage[];
}

interface MessageRow {
  readonly id: string;
  readonly channel: string;
  readonly thread: string | null;
  readonly author: string;
  readonly created_at: number;
  readonly body: string;
  readonly deleted_at: number | null;
  readonly revision: number;
}

export function createChatLog(database: Database): ChatLog {
  const { now } = database;
  const byId = database.prepare<[string], MessageRow>("SELECT * FROM chat_messages WHERE id = ?");
  const byKey = database.prepare<[string], MessageRow>("SELECT * FROM chat_messages WHERE posting_key = ?");
  const nextRevision = database.prepare<[], { revision: number }>(
    "UPDATE chat_revision SET revision = revision + 1 RETURNING revision",
  );
  const insert = database.prepare<Record<string, string | number | null>>(
    `INSERT INTO chat_messages (id, posting_key, channel, thread, author, created_at, body, revision)
     VALUES (@id, @key, @channel, @thread, @author, @createdAt, @body, @revision)`,
  );
  const setBody = database.prepare<[string, number, string]>(
    "UPDATE chat_messages SET body = ?, revision = ? WHERE id = ?",
  );
  const setDeleted = database.prepare<[number, number, string]>(
    "UPDATE chat_messages SET body = 'null', deleted_at = ?, revision = ? WHERE id = ?",
  );
  const changes = database.prepare<[string, number, number], MessageRow>(
    "SELECT * FROM chat_messages WHERE channel = ? AND revision > ? ORDER BY revision LIMIT ?",
  );

  function revision(): number {
    return nextRevision.get()?.revision ?? 0;
  }

  function required(id: string): ChatMessage {
    const row = byId.get(id);
    if (row === undefined) throw new Error(`chat message ${id} is gone within its own transaction`);
    return messageOf(row);
  }

  return {
    put(key, message) {
      return database.write(() => {
        const body = JSON.stringify(message.body ?? null);
        const known = byKey.get(key);
        if (known === undefined) {
          const { id, channel, thread = null, author, createdAtMs: createdAt } = message;
          insert.run({ id, key, channel, thread, author, createdAt, body, revision: revision() });
        } else if (known.deleted_at === null && known.body !== body) {
          setBody.run(body, revision(), known.id);
        }
        return required(known?.id ?? message.id);
      });
    },
    edit(id, body) {
      return database.write(() => {
        const row = byId.get(id);
        if (row === undefined || row.deleted_at !== null) return undefined;
        setBody.run(JSON.stringify(body ?? null), revision(), id);
        return required(id);
      });
    },
    delete(id) {
      const deleted = database.write(() => {
        const row = byId.get(id);
        if (row === undefined || row.deleted_at !== null) return undefined;
        setDeleted.run(now(), revision(), id);
        return required(id);
      });
      if (deleted !== undefined) database.truncateLog();
      return deleted;
    },
    get(id) {
      const row = database.read(() => byId.get(id));
      return row === undefined ? undefined : messageOf(row);
    },
    since(channel, revision, limit) {
      return database.read(() => changes.all(channel, revision, limit)).map(messageOf);
    },
  };
}

function messageOf(row: MessageRow): ChatMessage {
  return {
    id: row.id,
    channel: row.channel,
    ...(row.thread === null ? {} : { thread: row.thread }),
    author: row.author,
    createdAtMs: row.created_at,
    body: JSON.parse(row.body),
    ...(row.deleted_at === null ? {} : { deletedAtMs: row.deleted_at }),
    revision: row.revision,
  };
}
