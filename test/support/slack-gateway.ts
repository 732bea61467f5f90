// A gateway whose one platform is Slack, played by the double.
import { createSlack } from "../../src/adapters/slack/index.ts";
import type { Transcriber } from "../../src/core/ports.ts";
import { startPlatformGateway } from "./platform-gateway.ts";
import { APP_TOKEN, type SlackDouble } from "./slack-double.ts";
import { BOT_TOKEN } from "./slack-emulator.ts";

export function startSlackGateway(double: SlackDouble, data: string, transcriber: Transcriber) {
  const own = {
    botToken: BOT_TOKEN,
    appToken: APP_TOKEN,
    apiUrl: double.apiUrl,
    fileOrigins: [double.base],
    postEveryMs: 2,
  };
  return startPlatformGateway(
    ({ maxBytes, observe, now }) => createSlack({ ...own, maxBytes, observe, now }).platform,
    data,
    transcriber,
  );
}
