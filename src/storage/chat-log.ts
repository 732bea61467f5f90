// The messages of the playground's chat.
import type { Database } from "./database.ts";
import { statements } from "./statements.ts";

/** What every message has; the rest of it belongs to the playground. */
interface Message {
  readonly id: string;
  readonly channel: string;
  readonly createdAtMs: number;
  readonly revision: number;
}

export interface MessageLog<M extends Message> {
  add(message: Omit<M, "revision">, postingKey?: string): M;
  edit(id: string, body: M extends { readonly body: infer Body } ? Body : never): M | undefined;
  get(id: string): M | undefined;
  since(revision: number, limit: number): readonly M[];
  newest(limit: number): readonly M[];
}

export function createChatLog<M extends Message>(database: Database): MessageLog<M> {
  const prepare = statements(database);
  type Row = { readonly message: string; readonly revision: number };
  const toMessage = ({ message, revision }: Row) => ({ ...JSON.parse(message), revision }) as M;

  const add = database.transaction((message: Omit<M, "revision">, postingKey: string | undefined): M => {
    const { id, channel, createdAtMs } = message as Pick<Message, "id" | "channel" | "createdAtMs">;
    const earlier =
      postingKey === undefined
        ? undefined
        : prepare<Row>("SELECT message, revision FROM chat_messages WHERE posting_key = ?").get(postingKey);
    if (earlier !== undefined) return toMessage(earlier);
    const revision = nextRevision();
    prepare(
      "INSERT INTO chat_messages (id, posting_key, channel, revision, created_at_ms, message) VALUES (?, ?, ?, ?, ?, ?)",
    ).run(id, postingKey ?? null, channel, revision, createdAtMs, JSON.stringify(message));
    return { ...message, revision } as M;
  });

  const edit = database.transaction((id: string, body: unknown): M | undefined => {
    const row = prepare<Row>("SELECT message, revision FROM chat_messages WHERE id = ?").get(id);
    if (row === undefined) return undefined;
    const message = JSON.stringify({ ...JSON.parse(row.message), body });
    const revision = nextRevision();
    prepare("UPDATE chat_messages SET message = ?, revision = ? WHERE id = ?").run(message, revision, id);
    return toMessage({ message, revision });
  });

  function nextRevision(): number {
    const last = prepare<{ last: number | null }>("SELECT MAX(revision) AS last FROM chat_messages").get()?.last;
    return (last ?? 0) + 1;
  }

  return {
    add: (message, postingKey) => add.immediate(message, postingKey),
    edit: (id, body) => edit.immediate(id, body),
    get(id) {
      const row = prepare<Row>("SELECT message, revision FROM chat_messages WHERE id = ?").get(id);
      return row === undefined ? undefined : toMessage(row);
    },
    since: (revision, limit) =>
      prepare<Row>("SELECT message, revision FROM chat_messages WHERE revision > ? ORDER BY revision LIMIT ?")
        .all(revision, limit)
        .map(toMessage),
    newest: (limit) =>
      prepare<Row>("SELECT message, revision FROM chat_messages ORDER BY created_at_ms DESC, rowid DESC LIMIT ?")
        .all(limit)
        .map(toMessage)
        .reverse(),
  };
}
