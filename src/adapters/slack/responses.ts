// Answers to the one who typed a command, pressed a button or used a shortcut: seen by that person alone.
import type { RespondFn } from "@slack/bolt";
import { PlatformError } from "../../core/errors.ts";
import type { Place } from "../../core/recording.ts";
import type { Reply } from "../../core/reply.ts";
import { draw } from "./blocks.ts";
import type { Posts } from "./posts.ts";

/** Text goes back through Slack's response link, also in channels that Earshot is not in; files as a direct message. */
export async function respondWith(
  reply: Reply,
  respond: RespondFn,
  { place, posts, key }: { readonly place: Place; readonly posts: Posts; readonly key: string },
): Promise<void> {
  const { text, blocks, files } = draw(reply);
  if (blocks.length > 0) {
    try {
      await respond({ response_type: "ephemeral", replace_original: false, text, blocks });
    } catch (cause) {
      throw new PlatformError("unavailable", "Slack did not take an answer through its response link.", { cause });
    }
  }
  for (const file of files) {
    await posts.reply({ ...place, reach: "direct" }, { kind: "file", file }, { key: `${key}:${file.name}` });
  }
}
