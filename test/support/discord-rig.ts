// Real discord.js against the local counterpart, with a listener that writes down what it is told.
import { onTestFinished, vi } from "vitest";
import { createDiscord, type DiscordOptions } from "../../src/adapters/discord/index.ts";
import type { GatewayEvent, Listener } from "../../src/core/ports.ts";
import { startDiscordDouble, TOKEN } from "./discord-double.ts";
import { GUILD } from "./discord-world.ts";
import { notedListener } from "./noted-listener.ts";

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
  const { told, listener } = notedListener(options.listener);
  const observed: GatewayEvent[] = [];
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
