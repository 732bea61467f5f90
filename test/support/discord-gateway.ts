// A gateway whose one platform is Discord, played by the double.
import { createDiscord } from "../../src/adapters/discord/index.ts";
import type { Transcriber } from "../../src/core/ports.ts";
import { type DiscordDouble, TOKEN } from "./discord-double.ts";
import { startPlatformGateway } from "./platform-gateway.ts";

export function startDiscordGateway(double: DiscordDouble, data: string, transcriber: Transcriber) {
  return startPlatformGateway(
    (parts) => createDiscord({ ...parts, token: TOKEN, api: double.api, cdn: double.base }),
    data,
    transcriber,
  );
}
