// Real bolt against the local counterpart, with a listener that writes down what it is told.
import fastify from "fastify";
import { onTestFinished, vi } from "vitest";
import { createSlack, type SlackOptions } from "../../src/adapters/slack/index.ts";
import type { ChannelView, GatewayEvent, Invocation, Listener, Press, Reception } from "../../src/core/ports.ts";
import type { Recording } from "../../src/core/recording.ts";
import type { Reply } from "../../src/core/reply.ts";
import { DEFAULT_SETTINGS } from "../../src/core/settings.ts";
import { APP_TOKEN, SIGNING_SECRET, type SlackDoubleOptions, startSlackDouble } from "./slack-double.ts";
import { BOT_TOKEN } from "./slack-emulator.ts";

export const view: ChannelView = {
  settings: DEFAULT_SETTINGS,
  workspace: {},
  own: {},
  glossary: {
    terms: [
      { text: "Kubernetes", soundsLike: [], level: "channel", uses: 1 },
      { text: "Zentrix", soundsLike: [], level: "workspace", uses: 1 },
    ],
    pairs: [{ wrong: "cube control", right: "kubectl", level: "channel" }],
    prompt: "",
  },
  promptTokens: { used: 3, budget: 160 },
};

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
  const told = {
    recordings: [] as Recording[],
    invocations: [] as Invocation[],
    presses: [] as Press[],
    removed: [] as string[],
  };
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
    ...own,
  };
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
