// The playground's HTTP routes: the page, its messages as they change, and what one can do in it.
import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import multipart from "@fastify/multipart";
import files from "@fastify/static";
import type { FastifyPluginAsync, FastifyReply } from "fastify";
import { z } from "zod";
import { PlatformError, UserError } from "../../core/errors.ts";
import { ACTION_NAMES, COMMAND_NAMES } from "../../core/ports.ts";
import type { OutputFile, Reply } from "../../core/reply.ts";
import type { ChatMessage, ChatRecording } from "./chat-log.ts";
import type { Chat, PlaygroundOptions } from "./index.ts";
import { CHANNELS, type Channel, isChannel, placeOf, recordingOf, scopeOf, YOU } from "./parse.ts";

/** The page's files, the same folder seen from src/ and from dist/. */
const PAGE = fileURLToPath(new URL("../../../src/adapters/playground/page/", import.meta.url));
/** Messages that a page starts with. */
const NEWEST = 500;

const channel = z.enum(CHANNELS);
const ofChannel = z.object({ channel });
const ofMessage = z.object({ id: z.string() });
const fromJson = {
  text: z.object({ text: z.string().min(1).max(20_000) }),
  forward: z.object({ to: channel }),
  press: z.object({ action: z.enum(ACTION_NAMES), jobId: z.string(), message: z.string() }),
  sample: z.object({ name: z.string() }),
};

export function createRoutes(chat: Chat, options: PlaygroundOptions): FastifyPluginAsync {
  const { folder, limits, samples } = options;

  /** A recording stands in the chat: tell Earshot, and answer for it what it answers. */
  async function tell(message: ChatMessage): Promise<void> {
    const recording = recordingOf(message);
    if (recording === undefined) return;
    const reception = await chat.listener().recording(recording);
    if (reception.kind === "refused") show(message.channel, reception.reply, message.id);
  }

  function show(where: string, reply: Reply, thread?: string): void {
    chat.say("earshot", where, { kind: "reply", reply }, thread);
  }

  function send(where: string, recording: Omit<ChatRecording, "kind">): ChatMessage {
    return chat.say("you", where, { kind: "recording", ...recording });
  }

  /** undefined: it is no command. */
  async function run(where: Channel, text: string): Promise<Reply | undefined> {
    const [, name, rest = ""] = /^\/(\w+)\s*(.*)$/s.exec(text) ?? [];
    if (name === undefined) return undefined;
    const command = COMMAND_NAMES.find((known) => known === name.toLowerCase());
    if (command === undefined) {
      const known = COMMAND_NAMES.map((one) => `\`/${one}\``).join(", ");
      return { kind: "words", text: `There is no command /${name}. There are ${known}.` };
    }
    return chat.listener().command({
      command,
      text: rest,
      place: placeOf(where),
      actor: YOU,
      recordings: [],
      async resolveLink(link) {
        const id = /#message-([\w-]+)/.exec(link)?.[1];
        const message = id === undefined ? undefined : chat.log.get(id);
        const recording = message === undefined ? undefined : recordingOf(message);
        return recording === undefined ? undefined : [recording];
      },
    });
  }

  return async (app) => {
    await app.register(multipart, { limits: { fileSize: limits.bytes, files: 1, fields: 5 } });
    await app.register(files, { root: PAGE, prefix: "/" });
    await app.register(files, {
      ...{ root: folder, prefix: "/media/", decorateReply: false, index: false },
      // What people send is played and nothing else, whatever it says that it is.
      setHeaders: (reply) => reply.header("content-security-policy", "default-src 'none'; media-src 'self'; sandbox"),
    });

    app.setErrorHandler((error, _request, reply) => {
      if (error instanceof UserError) return reply.code(400).send({ message: error.message });
      if (error instanceof z.ZodError) return reply.code(400).send({ message: "That could not be read." });
      if (error instanceof PlatformError && error.code === "unavailable") {
        return reply.code(503).send({ message: "Earshot is still starting: try again in a moment." });
      }
      const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
      if (status >= 500) throw error;
      const message =
        status === 413
          ? `The file is too large: at most ${megabytes(limits.bytes)} are taken.`
          : "That could not be read.";
      return reply.code(status).send({ message });
    });

    app.get("/api/state", async () => {
      const messages = chat.log.newest(NEWEST);
      return {
        channels: CHANNELS,
        samples: samples.files,
        messages: messages.map(shown),
        revision: messages.reduce((most, message) => Math.max(most, message.revision), 0),
      };
    });

    app.get("/api/changes", (request, reply) => {
      const { since } = z.object({ since: z.coerce.number().int().min(0).default(0) }).parse(request.query);
      const missed = Number(request.headers["last-event-id"] ?? since);
      stream(chat, reply, Number.isFinite(missed) ? missed : since);
    });

    app.get("/api/messages/:id/files/:name", async (request, reply) => {
      const { id, name } = ofMessage.extend({ name: z.string() }).parse(request.params);
      const body = chat.log.get(id)?.body;
      const file = body?.kind === "reply" ? filesOf(body.reply).find((one) => one.name === name) : undefined;
      if (file === undefined) throw new UserError("not_found", "That file is not there any more.");
      reply.header("content-disposition", `attachment; filename*=UTF-8''${encodeURIComponent(file.name)}`);
      return reply.type(`${file.mimeType}; charset=utf-8`).send(file.content);
    });

    app.get("/api/channels/:channel", async (request) => {
      return chat.listener().channel(scopeOf(ofChannel.parse(request.params).channel));
    });

    app.post("/api/channels/:channel/recordings", async (request) => {
      const where = ofChannel.parse(request.params).channel;
      const query = z.object({
        voice: z.stringbool().default(false),
        seconds: z.coerce.number().positive().optional(),
      });
      const { voice: isVoice, seconds: durationSeconds } = query.parse(request.query);
      const part = await request.file().catch(asNotArrived);
      if (part === undefined) throw new UserError("unreadable", "There was no file in it.");
      const media = `${randomUUID()}${safeExtension(part.filename)}`;
      const path = join(folder, media);
      try {
        await pipeline(part.file, createWriteStream(path, { mode: 0o600, flags: "wx" }));
        if (part.file.truncated)
          throw new UserError("too_large", `The file is too large: at most ${megabytes(limits.bytes)} are taken.`);
      } catch (error) {
        await rm(path, { force: true });
        asNotArrived(error);
      }
      const message = send(where, {
        ...{ media, name: part.filename, mimeType: part.mimetype, isVoice, isForwarded: false },
        bytes: (await stat(path)).size,
        ...(durationSeconds === undefined ? {} : { durationSeconds }),
      });
      await tell(message);
      return { id: message.id };
    });

    app.post("/api/channels/:channel/samples", async (request) => {
      const where = ofChannel.parse(request.params).channel;
      const { name } = fromJson.sample.parse(request.body);
      if (!samples.files.includes(name)) throw new UserError("not_found", "There is no such sample.");
      const media = `${randomUUID()}${safeExtension(name)}`;
      await copy(join(samples.folder, name), join(folder, media));
      const isVoice = !name.startsWith("meeting");
      const message = send(where, {
        ...{ media, name, isVoice, isForwarded: false },
        mimeType: name.endsWith(".ogg") ? "audio/ogg" : "audio/flac",
        bytes: (await stat(join(folder, media))).size,
      });
      await tell(message);
      return { id: message.id };
    });

    /** The command on a message's own menu, as the other platforms have it. The reply is for whoever pressed it. */
    app.post("/api/messages/:id/transcribe", async (request) => {
      const message = chat.log.get(ofMessage.parse(request.params).id);
      const recording = message === undefined ? undefined : recordingOf(message);
      if (recording === undefined) throw new UserError("not_found", "That message holds no recording.");
      const invocation = { command: "transcribe", text: "", place: recording.place, actor: YOU } as const;
      return { reply: await chat.listener().command({ ...invocation, recordings: [recording] }) };
    });

    app.post("/api/messages/:id/forward", async (request) => {
      const original = chat.log.get(ofMessage.parse(request.params).id);
      const { to } = fromJson.forward.parse(request.body);
      if (original?.body?.kind !== "recording") throw new UserError("not_found", "That message holds no recording.");
      // A copy of its own, so that deleting one does not take the other's sound away.
      const media = `${randomUUID()}${safeExtension(original.body.name)}`;
      await copy(join(folder, original.body.media), join(folder, media));
      const message = send(to, { ...original.body, media, isForwarded: true });
      await tell(message);
      return { id: message.id };
    });

    app.post("/api/channels/:channel/messages", async (request) => {
      const where = ofChannel.parse(request.params).channel;
      const text = fromJson.text.parse(request.body).text.trim();
      const said = chat.say("you", where, { kind: "text", text });
      const reply = await run(where, text);
      if (reply !== undefined) show(where, reply);
      return { id: said.id };
    });

    /** What the page's panels change, without a word in the chat. */
    app.post("/api/channels/:channel/commands", async (request) => {
      const reply = await run(ofChannel.parse(request.params).channel, fromJson.text.parse(request.body).text.trim());
      return { reply };
    });

    app.post("/api/press", async (request) => {
      const { action, jobId, message: id } = fromJson.press.parse(request.body);
      const message = chat.log.get(id);
      if (message === undefined || !isChannel(message.channel))
        throw new UserError("not_found", "That message is not there any more.");
      const place = placeOf(message.channel, message.thread);
      const reply = await chat.listener().press({ action, jobId, place, actor: YOU });
      if (reply?.kind === "file") return { file: reply.file };
      if (reply !== undefined) show(message.channel, reply, message.thread);
      return {};
    });

    app.delete("/api/messages/:id", async (request) => {
      const message = chat.log.get(ofMessage.parse(request.params).id);
      if (message === undefined || !isChannel(message.channel))
        throw new UserError("not_found", "That message is not there any more.");
      if (message.body?.kind === "recording") {
        await rm(join(folder, message.body.media), { force: true });
        await chat.listener().removed(scopeOf(message.channel), message.id);
      }
      chat.remove(message.id);
      return {};
    });
  };
}

/** Server-sent events: what was missed since a revision, and then each change as it comes. */
function stream(chat: Chat, reply: FastifyReply, since: number): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    "content-type": "text/event-stream",
    "cache-control": "no-store",
  });
  let last = since;
  const tell = (message: ChatMessage) => {
    // A change that came while the missed ones were read is not told twice.
    if (message.revision <= last) return;
    last = message.revision;
    raw.write(`id: ${message.revision}\ndata: ${JSON.stringify(shown(message))}\n\n`);
  };
  for (let missed = chat.log.since(last, NEWEST); missed.length > 0; missed = chat.log.since(last, NEWEST)) {
    for (const message of missed) tell(message);
  }
  raw.write(": connected\n\n");
  chat.changes.on("message", tell);
  const heartbeat = setInterval(() => raw.write(": \n\n"), 15_000);
  raw.on("close", () => {
    clearInterval(heartbeat);
    chat.changes.off("message", tell);
  });
}

/** A message as the page gets it: the contents of files are asked for when somebody wants them. */
function shown(message: ChatMessage): ChatMessage {
  if (message.body?.kind !== "reply") return message;
  const { reply } = message.body;
  const emptied = ({ name, mimeType }: OutputFile): OutputFile => ({ name, mimeType, content: "" });
  if (reply.kind === "file")
    return { ...message, body: { kind: "reply", reply: { ...reply, file: emptied(reply.file) } } };
  if (reply.kind !== "words" || reply.files === undefined) return message;
  return { ...message, body: { kind: "reply", reply: { ...reply, files: reply.files.map(emptied) } } };
}

function filesOf(reply: Reply): readonly OutputFile[] {
  if (reply.kind === "file") return [reply.file];
  return reply.kind === "words" ? (reply.files ?? []) : [];
}

/** The form's reader says that a body is broken without a status and a code, unlike the server and the file system. */
function asNotArrived(error: unknown): never {
  if (!(error instanceof Error) || error instanceof UserError || "code" in error || "statusCode" in error) throw error;
  throw new UserError("unreadable", "The file did not arrive whole: send it again.");
}

/** For this user alone from the first byte on, whatever the mode of what is copied. */
async function copy(from: string, to: string): Promise<void> {
  await pipeline(createReadStream(from), createWriteStream(to, { mode: 0o600, flags: "wx" }));
}

/** Only what a file's name may safely end with. */
function safeExtension(name: string): string {
  return /^\.[a-z0-9]{1,5}$/i.test(extname(name)) ? extname(name).toLowerCase() : "";
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MB`;
}
