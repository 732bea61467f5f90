// A local counterpart of Discord over real sockets: REST, files and the gateway, with the platform's own limits.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type APIAttachment,
  type APIInteraction,
  type APIMessage,
  ApplicationFlags,
  ChannelType,
  GatewayDispatchEvents,
  GatewayIntentBits,
  InteractionResponseType,
  MessageFlags,
  PermissionFlagsBits,
  type RESTPostAPIChannelMessageJSONBody,
} from "discord-api-types/v10";
import { createGatewayDouble } from "./discord-gateway-double.ts";
import { APPLICATION, BOT, createWorld, GUILD, type InteractionState } from "./discord-world.ts";

export const TOKEN = "OTAwMDAwMDAwMDAwMDAwMDAy.test.token";
const ACKNOWLEDGE_MS = 3000;
const TOKEN_MS = 15 * 60_000;
const NONCE_MS = 5 * 60_000;

export interface Refusal {
  readonly status: number;
  readonly code: number;
  readonly message: string;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly files: readonly File[];
}

export type DiscordDouble = Awaited<ReturnType<typeof startDiscordDouble>>;

export async function startDiscordDouble(
  options: {
    readonly now?: () => number;
    readonly isContentGranted?: boolean;
    readonly uploadBytes?: number;
    readonly guildCount?: number;
  } = {},
) {
  const now = options.now ?? Date.now;
  const uploadBytes = options.uploadBytes ?? 10 * 1024 ** 2;
  let isContentGranted = options.isContentGranted ?? true;
  const world = createWorld(now);
  const server = createServer((request, response) => void serve(request, response));
  const gateway = createGatewayDouble(server, world, TOKEN, () => isContentGranted);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const base = `http://127.0.0.1:${port}`;
  gateway.listensAt(`ws://127.0.0.1:${port}/`);

  const commands = new Map<string, { id: string }[]>();
  const nonces = new Map<string, { readonly message: APIMessage; readonly atMs: number }>();
  const calls: { method: string; path: string; status: number }[] = [];
  /** What the next matching calls are answered with in place of the truth. */
  const faults: { match: RegExp; times: number; answer: (response: ServerResponse) => void }[] = [];
  let invalidRequests = 0;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", base);
    const method = request.method ?? "GET";
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const answer = (status: number, json?: unknown) => {
      calls.push({ method, path: url.pathname, status });
      if ([401, 403, 429].includes(status)) invalidRequests++;
      response.writeHead(status, { "content-type": "application/json" });
      response.end(json === undefined ? undefined : JSON.stringify(json));
    };
    const file = world.files.get(url.pathname);
    if (url.pathname.startsWith("/attachments/")) {
      const expired = file !== undefined && file.expiresAtMs < now();
      if (file === undefined || expired) return answer(404, { message: "This content is no longer available." });
      response.writeHead(200, { "content-type": file.contentType, "content-length": file.data.length });
      response.end(file.data);
      return;
    }
    const fault = faults.find(({ match, times }) => times > 0 && match.test(`${method} ${url.pathname}`));
    if (fault !== undefined) {
      fault.times--;
      fault.answer(response);
      calls.push({ method, path: url.pathname, status: response.statusCode });
      if (response.statusCode === 429) invalidRequests++;
      return;
    }
    const isByToken = /\/(interactions|webhooks)\//.test(url.pathname);
    if (!isByToken && request.headers.authorization !== `Bot ${TOKEN}`)
      return answer(401, { message: "401: Unauthorized", code: 0 });
    try {
      const call = await readCall(method, url, request, Buffer.concat(chunks));
      const result = route(call);
      answer(result === undefined ? 204 : 200, result);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      answer(error.status, { code: error.code, message: error.message });
    }
  }

  function route(call: Call): unknown {
    for (const [pattern, serveRoute] of routes) {
      const match = pattern.exec(call.path);
      if (match !== null) return serveRoute(call, match[1] ?? "", match[2] ?? "");
    }
    return refuse(404, 0, `404: Not Found ${call.method} ${call.path}`);
  }

  type Route = (call: Call, first: string, second: string) => unknown;
  const routes: readonly [RegExp, Route][] = [
    [
      /^\/gateway\/bot$/,
      () => {
        const session_start_limit = { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 16 };
        return { url: `ws://127.0.0.1:${port}`, shards: 1, session_start_limit };
      },
    ],
    [
      /^\/applications\/@me$/,
      () => ({
        id: APPLICATION,
        flags: isContentGranted ? ApplicationFlags.GatewayMessageContentLimited : 0,
        approximate_guild_count: options.guildCount ?? 1,
      }),
    ],
    [/^\/users\/@me$/, () => world.people.get(BOT)],
    [
      /^\/users\/@me\/channels$/,
      ({ body }) => ({
        id: world.directChannel((body as { recipient_id: string }).recipient_id),
        type: ChannelType.DM,
      }),
    ],
    [
      /^\/applications\/\d+(\/guilds\/\d+)?\/commands$/,
      ({ method, body }, guild) => {
        if (method === "PUT") {
          const list = (body as object[]).map((command) => ({ version: "1", ...command, id: world.id() }));
          commands.set(guild, list);
        }
        return commands.get(guild) ?? [];
      },
    ],
    [/^\/guilds\/\d+\/members\/(\d+)$/, (_, member) => world.member(member)],
    [/^\/interactions\/(\d+)\/([^/]+)\/callback$/, (call, _, token) => acknowledge(token, call)],
    [/^\/webhooks\/\d+\/([^/]+)$/, (call, token) => followUp(live(token), call)],
    [
      /^\/webhooks\/\d+\/([^/]+)\/messages\/(@original|\d+)$/,
      (call, token, id) => {
        const state = live(token);
        const message = id === "@original" ? (state.responseId ?? refuse(404, 10008, "Unknown Message")) : id;
        return editMessage(channelOf(state), message, call, limitOf(state));
      },
    ],
    [
      /^\/channels\/(\d+)$/,
      (_, id) => {
        const channel = readable(id);
        return { id: channel.id, type: channel.type, guild_id: channel.guild, parent_id: channel.parent };
      },
    ],
    [
      /^\/channels\/(\d+)\/messages$/,
      (call, id) => (call.method === "POST" ? createMessage(id, call) : history(id, call.query)),
    ],
    [
      /^\/channels\/(\d+)\/messages\/(\d+)$/,
      (call, channel, id) => {
        if (call.method !== "PATCH")
          return seen(find(readable(channel, PermissionFlagsBits.ReadMessageHistory).id, id));
        const own = find(channel, id);
        if (own.author.id !== BOT) refuse(403, 50005, "Cannot edit a message authored by another user");
        if (isHidden(own)) refuse(404, 10008, "Unknown Message");
        return editMessage(readable(channel).id, id, call, uploadBytes);
      },
    ],
  ];

  function history(id: string, query: URLSearchParams): APIMessage[] {
    const channel = readable(id, PermissionFlagsBits.ReadMessageHistory);
    const after = BigInt(query.get("after") ?? 0);
    const since = channel.messages.filter((message) => BigInt(message.id) > after && !isHidden(message));
    const limit = Number(query.get("limit") ?? 50);
    const page = query.has("after") ? since.slice(0, limit) : since.slice(-limit);
    return page.map((message) => seen(message)).reverse();
  }

  function readable(id: string, needed = PermissionFlagsBits.ViewChannel) {
    const channel = world.channels.get(id) ?? refuse(404, 10003, "Unknown Channel");
    if (channel.guild !== undefined) {
      const granted = world.permissions(id);
      if (channel.guild !== GUILD || (granted & PermissionFlagsBits.ViewChannel) === 0n)
        refuse(403, 50001, "Missing Access");
      if ((granted & needed) === 0n) refuse(403, 50013, "Missing Permissions");
    } else if (channel.recipient === undefined) refuse(403, 50001, "Missing Access");
    return channel;
  }

  function find(channel: string, id: string): APIMessage {
    const found = world.channels.get(channel)?.messages.find((message) => message.id === id);
    return found ?? refuse(404, 10008, "Unknown Message");
  }

  function isHidden(message: APIMessage): boolean {
    return ((message.flags ?? 0) & MessageFlags.Ephemeral) !== 0;
  }

  /** With fresh links, and without what the intent keeps from the bot. */
  function seen(message: APIMessage): APIMessage {
    const fresh = structuredClone(message);
    for (const each of [fresh, ...(fresh.message_snapshots ?? []).map((snapshot) => snapshot.message)]) {
      for (const attachment of each.attachments) attachment.url = world.signed(new URL(attachment.url).pathname, base);
    }
    return isContentGranted || isOpenTo(message) ? fresh : withoutContent(fresh);
  }

  function isOpenTo(message: APIMessage): boolean {
    const isDirect = world.channels.get(message.channel_id)?.recipient !== undefined;
    return isDirect || message.author.id === BOT || message.content.includes(`<@${BOT}>`);
  }

  function createMessage(channelId: string, call: Call): APIMessage {
    const body = call.body as RESTPostAPIChannelMessageJSONBody;
    const channel = readable(channelId);
    if (channel.recipient !== undefined && world.closed.has(channel.recipient)) {
      refuse(403, 50007, "Cannot send messages to this user");
    }
    const isThread = channel.parent !== undefined;
    const needed = isThread ? PermissionFlagsBits.SendMessagesInThreads : PermissionFlagsBits.SendMessages;
    readable(channelId, needed);
    if (call.files.length > 0) readable(channelId, PermissionFlagsBits.AttachFiles);
    if (
      body.message_reference &&
      channel.guild &&
      (world.permissions(channelId) & PermissionFlagsBits.ReadMessageHistory) === 0n
    ) {
      refuse(400, 160002, "Cannot reply without permission to read message history");
    }
    const nonce = body.nonce === undefined ? undefined : String(body.nonce);
    if (nonce !== undefined && nonce.length > 25) refuse(400, 50035, "Invalid Form Body");
    const earlier = nonce !== undefined && body.enforce_nonce ? nonces.get(`${channelId}/${nonce}`) : undefined;
    if (earlier !== undefined && now() - earlier.atMs < NONCE_MS) return earlier.message;
    const message = post(channelId, call, uploadBytes, {});
    if (nonce !== undefined) nonces.set(`${channelId}/${nonce}`, { message, atMs: now() });
    return message;
  }

  function post(channelId: string, call: Call, limit: number, more: Partial<APIMessage>): APIMessage {
    const body = call.body as RESTPostAPIChannelMessageJSONBody;
    checkBody(call, limit, "");
    const attachments = call.files.length === 0 ? [] : stored(call);
    if (!body.content && attachments.length === 0) refuse(400, 50006, "Cannot send an empty message");
    return world.addMessage(channelId, BOT, {
      content: body.content ?? "",
      components: (body.components ?? []) as APIMessage["components"] & object,
      flags: (body.flags ?? 0) as MessageFlags,
      attachments,
      ...(body.message_reference === undefined
        ? {}
        : {
            message_reference: { ...body.message_reference, channel_id: channelId } as APIMessage["message_reference"] &
              object,
          }),
      ...more,
    });
  }

  function stored(call: Call): APIAttachment[] {
    return call.files.map((file) => {
      const name = file.name.replace(/[^\w.-]+/g, "_");
      return world.attach(name, Buffer.from(fileBytes.get(file) ?? new ArrayBuffer(0)), file.type, base);
    });
  }

  function checkBody({ body, files }: Call, limit: number, known: string): void {
    const { content = known, components = [] } = body as RESTPostAPIChannelMessageJSONBody;
    if ((content ?? "").length > 2000) refuse(400, 50035, "Invalid Form Body: content over 2000");
    const rows = components as { components: { custom_id?: string }[] }[];
    const isBad = rows.length > 5 || rows.some((row) => row.components.length > 5 || row.components.length === 0);
    if (isBad || rows.some((row) => row.components.some((part) => (part.custom_id?.length ?? 0) > 100))) {
      refuse(400, 50035, "Invalid Form Body: components");
    }
    if (files.length > 10) refuse(400, 50035, "Invalid Form Body: files");
    if (files.some((file) => file.size > limit)) refuse(413, 40005, "Request entity too large");
  }

  function editMessage(channelId: string, id: string, call: Call, limit: number): APIMessage {
    const message = find(channelId, id);
    const body = call.body as RESTPostAPIChannelMessageJSONBody;
    checkBody(call, limit, message.content);
    if (typeof body.content === "string") message.content = body.content;
    if (body.components != null) message.components = body.components as APIMessage["components"] & object;
    if (body.attachments !== undefined) message.attachments = call.files.length === 0 ? [] : stored(call);
    message.edited_timestamp = new Date(now()).toISOString();
    edits.push({ id, content: message.content });
    return message;
  }
  const edits: { id: string; content: string }[] = [];

  function acknowledge(token: string, call: Call): unknown {
    const state = world.interactions.get(token) ?? refuse(404, 10062, "Unknown interaction");
    if (now() - state.createdAtMs > ACKNOWLEDGE_MS) refuse(404, 10062, "Unknown interaction");
    if (state.acknowledged) refuse(400, 40060, "Interaction has already been acknowledged.");
    state.acknowledged = true;
    const { type, data } = call.body as {
      type: InteractionResponseType;
      data?: { flags?: number; choices?: { name: string }[] };
    };
    if (type === InteractionResponseType.ApplicationCommandAutocompleteResult) {
      const choices = data?.choices ?? [];
      if (choices.length > 25 || choices.some(({ name }) => name.length > 100)) refuse(400, 50035, "Invalid Form Body");
      suggestions.push(choices.map(({ name }) => name));
      return undefined;
    }
    if (type === InteractionResponseType.DeferredMessageUpdate)
      return { interaction: { id: state.interaction.id, type: 3 } };
    if (type !== InteractionResponseType.DeferredChannelMessageWithSource) refuse(400, 50035, "Invalid Form Body");
    state.isEphemeral = ((data?.flags ?? 0) & MessageFlags.Ephemeral) !== 0;
    const flags = MessageFlags.Loading | (state.isEphemeral ? MessageFlags.Ephemeral : 0);
    const message = world.addMessage(channelOf(state), BOT, { flags });
    state.responseId = message.id;
    return call.query.get("with_response") === "true" ? { interaction: {}, resource: { type, message } } : undefined;
  }
  const suggestions: string[][] = [];

  function live(token: string): InteractionState {
    const state = world.interactions.get(token) ?? refuse(404, 10015, "Unknown Webhook");
    if (now() - state.createdAtMs > TOKEN_MS) refuse(401, 50027, "Invalid Webhook Token");
    if (!state.acknowledged) refuse(404, 10015, "Unknown Webhook");
    return state;
  }

  function channelOf({ interaction }: InteractionState): string {
    return interaction.channel?.id ?? "";
  }

  function limitOf({ interaction }: InteractionState): number {
    return interaction.attachment_size_limit;
  }

  function followUp(state: InteractionState, call: Call): APIMessage {
    return post(channelOf(state), call, limitOf(state), {});
  }

  return {
    base,
    api: `${base}/api`,
    world,
    gateway,
    calls,
    faults,
    edits,
    suggestions,
    commands,
    invalidRequests: () => invalidRequests,
    grantContent(isGranted: boolean) {
      isContentGranted = isGranted;
    },
    /** The next calls that match get 429 with this wait. */
    rateLimit(match: RegExp, times: number, retryAfterSeconds: number) {
      const answer = (response: ServerResponse) => {
        response.writeHead(429, { "content-type": "application/json", "retry-after": String(retryAfterSeconds) });
        response.end(
          JSON.stringify({ message: "You are being rate limited.", retry_after: retryAfterSeconds, global: false }),
        );
      };
      faults.push({ match, times, answer });
    },
    fail(match: RegExp, times: number, { status, code, message }: Refusal) {
      const answer = (response: ServerResponse) => {
        response.writeHead(status, { "content-type": "application/json" });
        response.end(JSON.stringify({ code, message }));
      };
      faults.push({ match, times, answer });
    },
    /** A person posts a message; the bot gets it as its intents allow. */
    say(channelId: string, author: string, more: Partial<APIMessage> = {}): APIMessage {
      const message = world.addMessage(channelId, author, more);
      const guild = world.channels.get(channelId)?.guild;
      gateway.emit(GatewayDispatchEvents.MessageCreate, (intents) => {
        const event = {
          ...structuredClone(message),
          ...(guild === undefined ? {} : { guild_id: guild, member: world.member(author) }),
        };
        const mayRead = (intents & GatewayIntentBits.MessageContent) !== 0 || isOpenTo(message);
        return mayRead ? event : withoutContent(event);
      });
      return message;
    },
    interact(interaction: APIInteraction): APIInteraction {
      gateway.emit(GatewayDispatchEvents.InteractionCreate, () => interaction);
      return interaction;
    },
    /** What the bot wrote in a channel, in order. */
    written(channelId: string): APIMessage[] {
      return (world.channels.get(channelId)?.messages ?? []).filter((message) => message.author.id === BOT);
    },
    fileText(attachment: APIAttachment): Buffer {
      return world.files.get(new URL(attachment.url).pathname)?.data ?? Buffer.alloc(0);
    },
    async close(): Promise<void> {
      gateway.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function withoutContent<Message extends APIMessage>(message: Message): Message {
  const { message_snapshots: _, ...rest } = message;
  return { ...rest, content: "", attachments: [], embeds: [], components: [] } as unknown as Message;
}

const fileBytes = new WeakMap<File, ArrayBuffer>();

async function readCall(method: string, url: URL, request: IncomingMessage, raw: Buffer): Promise<Call> {
  const path = decodeURIComponent(url.pathname.replace(/^\/api\/v10/, ""));
  const type = request.headers["content-type"] ?? "";
  if (!type.startsWith("multipart/form-data")) {
    return { method, path, query: url.searchParams, body: raw.length === 0 ? {} : JSON.parse(String(raw)), files: [] };
  }
  const form = await new Response(new Uint8Array(raw), { headers: { "content-type": type } }).formData();
  const files: File[] = [];
  for (const value of form.values()) {
    if (typeof value === "string") continue;
    fileBytes.set(value, await value.arrayBuffer());
    files.push(value);
  }
  const body = JSON.parse(String(form.get("payload_json") ?? "{}"));
  return { method, path, query: url.searchParams, body, files };
}

function refuse(status: number, code: number, message: string): never {
  throw { status, code, message } satisfies Refusal;
}

function isRefusal(error: unknown): error is Refusal {
  return typeof error === "object" && error !== null && "status" in error && "code" in error;
}
