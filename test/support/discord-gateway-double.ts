// The gateway of the local counterpart of Discord: identify, resume and replay, and connections that are lost.
import type { Server } from "node:http";
import type { Duplex } from "node:stream";
import {
  ApplicationFlags,
  ChannelType,
  type GatewayDispatchPayload,
  GatewayIntentBits,
  GatewayOpcodes,
  type GatewayReceivePayload,
  type GatewaySendPayload,
} from "discord-api-types/v10";
import { type WebSocket, WebSocketServer } from "ws";
import { APPLICATION, BOT, EDITOR_ROLE, GRANTED, GUILD, OWNER, type World } from "./discord-world.ts";

interface Session {
  readonly id: string;
  readonly intents: number;
  readonly sent: { readonly s: number; readonly t: string; readonly d: unknown }[];
  sequence: number;
  socket: WebSocket | undefined;
}

export function createGatewayDouble(server: Server, world: World, token: string, mayReadContent: () => boolean) {
  let isStalled = false;
  const stalled: Duplex[] = [];
  const sockets = new WebSocketServer({
    server,
    verifyClient: ({ req }, decide) => {
      if (isStalled) stalled.push(req.socket);
      else decide(true);
    },
  });
  const sessions = new Map<string, Session>();
  const counts = { identified: 0, resumed: 0 };
  let url = "";
  let isHeldBack = false;

  function send(socket: WebSocket, payload: GatewayReceivePayload | object): void {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(payload));
  }

  function dispatch(session: Session, t: string, d: unknown): void {
    const event = { s: ++session.sequence, t, d };
    session.sent.push(event);
    if (session.socket) send(session.socket, { op: GatewayOpcodes.Dispatch, ...event });
  }

  function begin(socket: WebSocket, intents: number): Session {
    const session: Session = { id: world.id(), intents, sent: [], sequence: 0, socket };
    sessions.set(session.id, session);
    counts.identified++;
    dispatch(session, "READY", {
      v: 10,
      user: world.people.get(BOT),
      guilds: [{ id: GUILD, unavailable: true }],
      session_id: session.id,
      resume_gateway_url: url,
      application: { id: APPLICATION, flags: mayReadContent() ? ApplicationFlags.GatewayMessageContentLimited : 0 },
    });
    dispatch(session, "GUILD_CREATE", guild());
    return session;
  }

  function guild() {
    const all = [...world.channels.values()].filter((channel) => channel.guild === GUILD);
    const facts = all.map(({ id, type, parent, denied, hiddenFrom, messages }) => ({
      id,
      type,
      guild_id: GUILD,
      name: `channel-${id}`,
      position: 0,
      parent_id: parent ?? null,
      last_message_id: messages.at(-1)?.id ?? null,
      permission_overwrites: [
        { id: GUILD, type: 0, allow: "0", deny: String(denied) },
        ...(hiddenFrom === undefined ? [] : [{ id: hiddenFrom, type: 1, allow: "0", deny: "1024" }]),
      ],
      ...(isThread(type) ? { owner_id: OWNER, thread_metadata: { archived: false, locked: false } } : {}),
    }));
    const role = { color: 0, hoist: false, position: 0, managed: false, mentionable: false, flags: 0 };
    return {
      id: GUILD,
      name: "guild",
      owner_id: OWNER,
      premium_tier: 0,
      roles: [
        { id: GUILD, name: "@everyone", permissions: String(GRANTED), ...role },
        { id: EDITOR_ROLE, name: "editors", permissions: "32", ...role },
      ],
      members: [world.member(BOT), world.member(OWNER)],
      member_count: 2,
      channels: facts.filter((channel) => !isThread(channel.type)),
      threads: facts.filter((channel) => isThread(channel.type)),
      emojis: [],
      stickers: [],
      presences: [],
      voice_states: [],
      features: [],
      stage_instances: [],
      guild_scheduled_events: [],
      soundboard_sounds: [],
    };
  }

  sockets.on("connection", (socket) => {
    let session: Session | undefined;
    send(socket, { op: GatewayOpcodes.Hello, d: { heartbeat_interval: 45_000 } });
    socket.on("message", (raw) => {
      const payload = JSON.parse(String(raw)) as GatewaySendPayload;
      switch (payload.op) {
        case GatewayOpcodes.Heartbeat:
          return send(socket, { op: GatewayOpcodes.HeartbeatAck });
        case GatewayOpcodes.Identify: {
          if (isHeldBack) return;
          if (payload.d.token !== token) return socket.close(4004);
          const wantsContent = (payload.d.intents & GatewayIntentBits.MessageContent) !== 0;
          if (wantsContent && !mayReadContent()) return socket.close(4014);
          session = begin(socket, payload.d.intents);
          return;
        }
        case GatewayOpcodes.Resume: {
          session = sessions.get(payload.d.session_id);
          if (session === undefined) return send(socket, { op: GatewayOpcodes.InvalidSession, d: false });
          session.socket = socket;
          counts.resumed++;
          for (const event of session.sent) {
            if (event.s > payload.d.seq) send(socket, { op: GatewayOpcodes.Dispatch, ...event });
          }
          send(socket, { op: GatewayOpcodes.Dispatch, t: "RESUMED", s: session.sequence, d: {} });
          return;
        }
        default:
      }
    });
    socket.on("close", (code) => {
      if (session?.socket === socket) session.socket = undefined;
      // A client that says goodbye ends its session; one that breaks off may come back.
      if (session && (code === 1000 || code === 1001)) sessions.delete(session.id);
    });
  });

  return {
    counts,
    listensAt(address: string) {
      url = address;
    },
    /** To every session, also to those that are cut off at the moment and resume later. */
    emit<Type extends NonNullable<GatewayDispatchPayload["t"]>>(t: Type, shape: (intents: number) => unknown): void {
      for (const session of sessions.values()) dispatch(session, t, shape(session.intents));
    },
    /** Breaks all connections; the sessions can be resumed. */
    drop(): void {
      for (const socket of sockets.clients) socket.terminate();
    },
    /** Ends all sessions: whoever comes back has to begin anew and gets nothing again. */
    forget(): void {
      sessions.clear();
      for (const socket of sockets.clients) socket.close(4000);
    },
    /** Leaves connections half made, until they are broken off. */
    stall(): void {
      isStalled = true;
    },
    stalled: () => stalled.length,
    breakStalled(): void {
      for (const socket of stalled) socket.destroy();
    },
    /** Leaves whoever identifies without a word. */
    holdBack(): void {
      isHeldBack = true;
    },
    /** Ends all connections with a close code. */
    refuse(code: number): void {
      for (const socket of sockets.clients) socket.close(code);
    },
    close(): void {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

function isThread(type: ChannelType): boolean {
  return [ChannelType.PublicThread, ChannelType.PrivateThread, ChannelType.AnnouncementThread].includes(type);
}
