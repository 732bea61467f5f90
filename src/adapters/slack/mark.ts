// The key under which something was posted, carried by the message itself, so that it is found again after a crash.
import { randomUUID } from "node:crypto";
import type { types } from "@slack/bolt";
import type { SlackMessage } from "./parse.ts";

const MARK = /^earshot:(.+)#[0-9a-f]{8}$/;

/** In the id of the first block, which Slack gives back and nobody sees. Each edit is to have another one. */
export function marked(blocks: readonly types.KnownBlock[], key: string): types.KnownBlock[] {
  const [first, ...others] = blocks;
  return first === undefined ? [] : [{ ...first, block_id: `earshot:${key}#${randomUUID().slice(0, 8)}` }, ...others];
}

/** The key under which Earshot posted a message; undefined: it did not. */
export function keyOf({ blocks: [first] = [] }: SlackMessage): string | undefined {
  if (typeof first !== "object" || first === null || !("block_id" in first)) return undefined;
  return MARK.exec(String(first.block_id))?.[1];
}
