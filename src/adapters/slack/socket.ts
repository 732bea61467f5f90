// Socket Mode: Slack's events over a WebSocket that this side opens, so that no public address is needed.
import { type App, type Receiver, SocketModeReceiver } from "@slack/bolt";
import { ConfigError } from "../../core/errors.ts";
import type { Observe } from "../../core/ports.ts";
import { createDeliveries } from "./deliveries.ts";
import { asPlatformError, slackCode } from "./errors.ts";
import type { BoltLogger } from "./logger.ts";

export interface SocketOptions {
  readonly appToken: string;
  readonly apiUrl?: string;
  readonly logger: BoltLogger;
  readonly observe: Observe;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 30_000;

/** Connects again by itself, for as long as the signal lets it. What was not acknowledged comes again then. */
export function createSocketReceiver({ appToken, apiUrl, logger, observe, signal, now }: SocketOptions): Receiver {
  const receiver = new SocketModeReceiver({
    appToken,
    logger,
    // The SDK's own way to connect again ends the process when Slack is away for a while.
    autoReconnectEnabled: false,
    installerOptions: {
      clientOptions: { retryConfig: { retries: 0 }, ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl }) },
    },
    processEventErrorHandler: async ({ error }) => {
      observe({ kind: "unexpected", where: "an event of Slack's", error });
      return false;
    },
  });
  let isConnecting = false;
  let waitMs = 0;

  async function connect(): Promise<void> {
    isConnecting = true;
    try {
      await receiver.client.start();
      waitMs = 0;
    } finally {
      isConnecting = false;
    }
  }

  function connectAgain(): void {
    if (signal.aborted || isConnecting) return;
    const timer = setTimeout(() => {
      if (signal.aborted) return;
      connect().catch((error: unknown) => {
        if (signal.aborted) return;
        observe({ kind: "unexpected", where: "connecting to Slack", error });
        connectAgain();
      });
    }, waitMs);
    timer.unref();
    waitMs = Math.min(MOST_WAIT_MS, Math.max(FIRST_WAIT_MS, waitMs * 2));
  }

  return {
    init(app) {
      const deliveries = createDeliveries(app, now);
      receiver.init({
        processEvent: async (event: Parameters<App["processEvent"]>[0]) => {
          const answer = await deliveries.process(event);
          await event.ack(answer);
        },
      } as App);
    },
    async start() {
      try {
        await connect();
      } catch (error) {
        const code = slackCode(error);
        if (code === undefined) throw asPlatformError(error, "the connection for Socket Mode");
        throw new ConfigError([
          `Slack refused SLACK_APP_TOKEN: ${code}. Set the app-level token (xapp-…) with the scope connections:write, from https://api.slack.com/apps under Basic Information.`,
        ]);
      }
      receiver.client.on("disconnected", connectAgain);
    },
    async stop() {
      receiver.client.off("disconnected", connectAgain);
      await receiver.client.disconnect();
    },
  };
}
