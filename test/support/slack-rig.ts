// Real bolt against the local counterpart, with a listener that writes down what it is told.
import fastify from "fastify";
import { onTestFinished, vi } from "vitest";
import { createSlack, type SlackOptions } from "../../src/adapters/slack/index.ts";
import type { GatewayEvent, Listener } from "../../src/core/ports.ts";
import { notedListener } from "./noted-listener.ts";
import { APP_TOKEN, SIGNING_SECRET, type SlackDoubleOptions, startSlackDouble } from "./slack-double.ts";
import { BOT_TOKEN } from "./slack-emulator.ts";

export async function startSlackRig(
  options: Partial<SlackOptions> & {
    readonly isHttp?: boolean;
    readonly listens?: boolean;
    readonly listener?: Partial<Listener>;
    readonly double?: SlackDoubleOptions;
  } = {},
) {
  let eventsUrl = "";
  const { isHttp, listens = true, listener: own, double: doubleOptions, ...slackOptions } = options;
  const double = await startSlackDouble({ ...doubleOptions, ...(isHttp ? { eventsUrl: () => eventsUrl } : {}) });
  const { told, listener } = notedListener(own);
  const observed: GatewayEvent[] = [];
  const { platform, plugin } = createSlack({
    botToken: BOT_TOKEN,
    ...(isHttp ? { signingSecret: SIGNING_SECRET } : { appToken: APP_TOKEN }),
    maxBytes: 10_000_000,
    apiUrl: double.apiUrl,
    fileOrigins: [double.base],
    postEveryMs: 0,
    observe: (event) => void observed.push(event),
    now: Date.now,
    ...slackOptions,
  });
  const web = fastify();
  if (plugin !== undefined) {
    await web.register(plugin);
    eventsUrl = `${await web.listen({ host: "127.0.0.1", port: 0 })}/slack/events`;
  }
  const stop = new AbortController();
  if (listens) await platform.listen(listener, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await web.close();
    await double.close();
  });
  return { double, platform, told, observed, listener, stop, eventsUrl: () => eventsUrl };
}

export const eventually = (check: () => unknown, timeout = 10_000) => vi.waitFor(check, { timeout, interval: 10 });
