// What can be seen of a pool from outside, for `earshot doctor`: the server, what lies in it, and who is there.
import type { PoolMember } from "../../core/ports.ts";
import { createPoolConnection, type Link } from "./connection.ts";
import { AUDIO_STREAM, DEAD_STREAM, LOG_STREAM, WORK_STREAM } from "./names.ts";
import { createRoster } from "./roster.ts";
import type { NatsSettings } from "./server-options.ts";

export interface PoolView {
  /** The server's version. */
  readonly version: string;
  /** Whose rights the credentials give. */
  readonly role: "gateway" | "worker";
  /** Undefined: there is none, or these rights do not show it. */
  readonly work: StreamView | undefined;
  readonly log: StreamView | undefined;
  readonly audio: StreamView | undefined;
  readonly dead: StreamView | undefined;
  /** Undefined: these rights do not show them. */
  readonly members: readonly PoolMember[] | undefined;
}

export interface StreamView {
  readonly messages: number;
  readonly bytes: number;
  /** -1: as many as the server has room for. */
  readonly maxBytes: number;
  readonly replicas: number;
}

const LOOK_MS = 6000;
const ROLE_MS = 2000;

/** @returns a sentence where there is nothing to see. @throws ConfigError */
export async function lookAtPool(nats: NatsSettings): Promise<PoolView | string> {
  let trouble = "The NATS server does not answer these credentials within some seconds.";
  // A machine's user is not let hear a gateway's answers, and the other way round.
  for (const role of ["gateway", "worker"] as const) {
    const connection = createPoolConnection({
      settings: nats,
      role,
      name: "earshot doctor",
      // The account's own report is what both may ask for.
      prepare: async ({ jsm }) => void (await jsm.getAccountInfo()),
      log: (line) => {
        trouble = line;
      },
    });
    try {
      const link = await connection.link(AbortSignal.timeout(role === "gateway" ? ROLE_MS : LOOK_MS));
      return await view(link, role);
    } catch {
      // From a server that refuses the user, or cannot be reached, the other role would hear the same.
      const found = connection.trouble();
      if (found !== undefined && found.kind !== "rights") return found.sentence;
    } finally {
      await connection.close(new Error("looked"));
    }
  }
  return trouble;
}

async function view(link: Link, role: PoolView["role"]): Promise<PoolView> {
  const see = (name: string) => stream(link, name);
  const mayAll = role === "gateway";
  const roster = createRoster(() => performance.now());
  const members = mayAll
    ? await roster.follow(link).then(
        () => roster.members(),
        () => [],
      )
    : undefined;
  return {
    version: link.nc.info?.version ?? "",
    role,
    work: mayAll ? await see(WORK_STREAM) : undefined,
    log: mayAll ? await see(LOG_STREAM) : undefined,
    audio: await see(AUDIO_STREAM),
    dead: mayAll ? await see(DEAD_STREAM) : undefined,
    members,
  };
}

async function stream({ jsm }: Link, name: string): Promise<StreamView | undefined> {
  try {
    const { state, config } = await jsm.streams.info(name);
    const { messages, bytes } = state;
    return { messages, bytes, maxBytes: config.max_bytes, replicas: config.num_replicas };
  } catch {
    return undefined;
  }
}
