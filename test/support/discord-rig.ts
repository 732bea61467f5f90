// Real discord.js against the local counterpart, with a listener that writes down what it is told.
import { onTestFinished, vi } from "vitest";
import { createDiscord, type DiscordOptions } from "../../src/adapters/discord/index.ts";
import type { ChannelView, GatewayEvent, Invocation, Listener, Press, Reception } from "../../src/core/ports.ts";
import type { Recording } from "../../src/core/recording.ts";
import type { Reply } from "../../src/core/reply.ts";
import { DEFAULT_SETTINGS } from "../../src/core/settings.ts";
import { startDiscordDouble, TOKEN } from "./discord-double.ts";
import { GUILD } from "./discord-world.ts";

export const view: ChannelView = {
  settings: DEFAULT_SETTINGS,
  workspace: {},
  own: {},
  glossary: {
    terms: [{ text: "Kubernetes", soundsLike: [], level: "channel", uses: 1 }],
    pairs: [{ wrong: "cube control", right: "kubectl", level: "channel" }],
    prompt: "",
  },
  promptTokens: { used: 3, budget: 160 },
};

export interface Told {
  readonly recordings: Recording[];
  readonly invocations: Invocation[];
  readonly presses: Press[];
  readonly removed: string[];
}

export async function startDiscordRig(
  options: Partial<DiscordOptions> & {
    readonly isContentGranted?: boolean;
    readonly uploadBytes?: number;
    readonly listener?: Partial<Listener>;
    readonly listens?: boolean;
  } = {},
) {
  const clock = { offsetMs: 0 };
  const now = () => Date.now() + clock.offsetMs;
  const double = await startDiscordDouble({ now, ...options });
  const channel = double.world.addChannel(0, { guild: GUILD });
  const told: Told = { recordings: [], invocations: [], presses: [], removed: [] };
  const observed: GatewayEvent[] = [];
  const listener: Listener = {
    async recording(recording): Promise<Reception> {
      told.recordings.push(recording);
      return { kind: "added", jobId: "1f3a9c" };
    },
    async command(invocation): Promise<Reply> {
      told.invocations.push(invocation);
      return { kind: "words", text: `Taken: ${invocation.recordings.map(({ name }) => name).join()}` };
    },
    async press(press) {
      told.presses.push(press);
      return undefined;
    },
    async removed(_, message) {
      told.removed.push(message);
    },
    channel: async () => view,
    ...options.listener,
  };
  const platform = createDiscord({
    token: TOKEN,
    api: double.api,
    cdn: double.base,
    maxBytes: 1_000_000,
    models: ["demo", "base"],
    observe: (event) => observed.push(event),
    now,
    ...options,
  });
  const stopped = new AbortController();
  onTestFinished(async () => {
    stopped.abort();
    await double.close();
  });
  if (options.listens ?? true) await platform.listen(listener, stopped.signal);
  return {
    double,
    world: double.world,
    platform,
    listener,
    channel,
    told,
    observed,
    clock,
    listen: () => platform.listen(listener, stopped.signal),
    stop: () => stopped.abort(),
    /** A sound file that lies on the counterpart. */
    sound: (name = "note.ogg", type = "audio/ogg", more = {}) =>
      double.world.attach(name, Buffer.from(`sound of ${name}`), type, double.base, more),
  };
}

export type DiscordRig = Awaited<ReturnType<typeof startDiscordRig>>;

/** Waits until it is so. */
export function eventually<Result>(check: () => Result | Promise<Result>, timeout = 20_000): Promise<Result> {
  return vi.waitFor(check, { timeout, interval: 10 });
}
