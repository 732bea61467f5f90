// A chat platform in memory whose failures can be set; it passes the contract of every platform.
import { writeFile } from "node:fs/promises";
import { PlatformError } from "../../src/core/errors.ts";
import { COMMAND_NAMES, type Listener, type Platform } from "../../src/core/ports.ts";
import type { Place, Recording } from "../../src/core/recording.ts";
import type { Reply } from "../../src/core/reply.ts";
import type { PlatformUnderTest, Visible } from "../contracts/platform.ts";

export interface FakePlatform extends PlatformUnderTest {
  /** Every reply in the order in which it was posted or edited. */
  readonly replies: readonly { readonly id: string; readonly reply: Reply; readonly place: Place }[];
  /** Asked before each call; what it throws is thrown. */
  beforeDownload: (recording: Recording) => void;
  beforeReply: (reply: Reply) => void;
  readonly listener: () => Listener;
  /** A voice message of somebody, somewhere; what differs from the usual. */
  post(bytes: Uint8Array | string, differs?: Differs): Promise<string>;
}

interface Differs {
  readonly place?: Partial<Place>;
  readonly name?: string;
  readonly seconds?: number;
}

type Message = { -readonly [Key in keyof Visible]: Visible[Key] } & { key?: string };

export function createFakePlatform(): FakePlatform {
  const messages: Message[] = [];
  const bytesOf = new Map<string, Uint8Array>();
  const replies: { id: string; reply: Reply; place: Place }[] = [];
  let listener: Listener | undefined;
  let nextId = 1;
  let lastPosted: Recording | undefined;

  const placeOf = (message: string): Place => ({
    ...{ platform: "playground", workspace: "W", channel: "C", isDirect: false },
    ...{ message, user: "U1", reach: "thread" },
  });

  async function tell(recording: Recording): Promise<void> {
    const reception = await fake.listener().recording(recording);
    if (reception.kind === "refused") put(reception.reply, recording.place.message);
  }

  function put(reply: Reply, answers?: string, key?: string): Message {
    const message: Message = {
      id: `m${nextId++}`,
      ...drawn(reply),
      ...(answers === undefined ? {} : { answers }),
      ...(key === undefined ? {} : { key }),
    };
    messages.push(message);
    return message;
  }

  const platform: Platform = {
    name: "playground",
    editEveryMs: 0,
    async listen(newListener) {
      listener = newListener;
    },
    async download(recording, toPath, signal) {
      signal.throwIfAborted();
      fake.beforeDownload(recording);
      const bytes = bytesOf.get(recording.source["id"] ?? "");
      if (bytes === undefined) throw new PlatformError("gone", "The message was deleted.");
      await writeFile(toPath, bytes, { mode: 0o600 });
    },
    async reply(place, reply, { key, editId }) {
      fake.beforeReply(reply);
      const known = messages.find((message) => (editId === undefined ? message.key === key : message.id === editId));
      if (editId !== undefined && known === undefined) throw new PlatformError("gone", "The message was deleted.");
      const message = known ?? put(reply, place.message, key);
      Object.assign(message, drawn(reply));
      replies.push({ id: message.id, reply, place });
      return message.id;
    },
  };

  const fake: FakePlatform = {
    platform,
    replies,
    beforeDownload: () => {},
    beforeReply: () => {},
    listener() {
      if (listener === undefined) throw new Error("Nobody listens.");
      return listener;
    },
    postVoiceMessage: (bytes) => fake.post(bytes),
    async post(bytes, { place, name, seconds } = {}) {
      const id = `m${nextId++}`;
      messages.push({ id, text: "", files: {} });
      bytesOf.set(id, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
      lastPosted = {
        ...{ key: `fake/${id}`, place: { ...placeOf(id), ...place }, kind: "voice message", source: { id } },
        name: name ?? `${id}.ogg`,
        ...(seconds === undefined ? {} : { durationSeconds: seconds }),
      };
      await tell(lastPosted);
      return id;
    },
    async redeliver() {
      if (lastPosted !== undefined) await tell(lastPosted);
    },
    async deleteMessage(id) {
      messages.splice(
        messages.findIndex((message) => message.id === id),
        1,
      );
      if (bytesOf.delete(id)) await fake.listener().removed(placeOf(id), id);
    },
    async command(text) {
      const [, name, rest = ""] = /^\/(\w+)\s*(.*)$/s.exec(text) ?? [];
      const command = COMMAND_NAMES.find((known) => known === name) ?? "earshot";
      const place = placeOf(`m${nextId++}`);
      const actor = { user: "U1", isAdmin: true, roles: [] };
      put(await fake.listener().command({ command, text: rest, place, actor, recordings: [] }));
    },
    async press(messageId, action, jobId) {
      const place = placeOf(messages.find(({ id }) => id === messageId)?.answers ?? messageId);
      const reply = await fake
        .listener()
        .press({ action, jobId, place, actor: { user: "U1", isAdmin: true, roles: [] } });
      if (reply !== undefined) put(reply, place.message);
    },
    visible: async () => messages,
    close: async () => {},
  };
  return fake;
}

function drawn(reply: Reply): Pick<Visible, "text" | "files"> {
  if (reply.kind === "file") return { text: "", files: { [reply.file.name]: reply.file.content } };
  const actions = "actions" in reply ? reply.actions.map(({ label }) => label) : [];
  const about = reply.kind === "answer" ? [reply.head, ...reply.notes] : [];
  const files = reply.kind === "words" ? (reply.files ?? []).map(({ name, content }) => [name, content]) : [];
  return { text: [reply.text, ...about, ...actions].join("\n"), files: Object.fromEntries(files) };
}
