// What was posted in channels and chats while the gateway was down, found through Graph at its start.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { createFakeTranscriber, spoken } from "../../support/fake-transcriber.ts";
import { refused } from "../../support/graph-double.ts";
import { CHANNEL, CHAT, PERSONAL, type Posted, startTeamsDouble } from "../../support/teams-double.ts";
import { startTeamsGateway } from "../../support/teams-gateway.ts";
import { eventually } from "../../support/teams-rig.ts";

async function startAway() {
  const double = await startTeamsDouble();
  const data = await mkdtemp(join(tmpdir(), "earshot-teams-away-"));
  const transcriber = createFakeTranscriber();
  const start = () => startTeamsGateway(double, data, transcriber);
  let gateway = await start();
  onTestFinished(async () => {
    await gateway.stop(0);
    await double.close();
    await rm(data, { recursive: true, force: true });
  });
  const share = (conversation: string, text: string, more: Record<string, unknown> = {}) =>
    double.sharedActivity(conversation, "memo.m4a", Buffer.from(spoken([text])), more);
  const answered = (text: string) => double.own().filter((post) => double.textOf(post).includes(text));
  const idle = () =>
    eventually(async () => expect(await gateway.queue.counts()).toMatchObject({ queued: 0, running: 0 }));
  return {
    double,
    share,
    answered,
    idle,
    gateway: () => gateway,
    stop: () => gateway.stop(0),
    async start() {
      gateway = await start();
    },
  };
}

const minutesAgo = (minutes: number) => ({ timestamp: new Date(Date.now() - minutes * 60_000).toISOString() });

it("files of channels, threads and chats that came meanwhile are answered, and older ones are not", async () => {
  const { double, share, answered, idle, stop, start } = await startAway();
  await double.deliver(share(CHANNEL, "before in the channel"));
  await double.deliver(share(CHAT, "before in the chat"));
  await eventually(() =>
    expect([...answered("before in the channel"), ...answered("before in the chat")]).toHaveLength(2),
  );
  const [root] = answered("before in the channel") as [Posted];
  await idle();
  await stop();

  const inChannel = share(CHANNEL, "new in the channel");
  share(root.conversation, "new in the thread");
  share(CHAT, "new in the chat");
  share(CHAT, "from another day", minutesAgo(20));
  double.graph.addChatMessage(CHAT, "1", { id: "1", createdDateTime: new Date().toISOString(), from: null });
  await start();
  for (const text of ["new in the channel", "new in the thread", "new in the chat"]) {
    await eventually(() => expect(answered(text), text).toHaveLength(1));
  }
  await idle();
  expect(answered("new in the channel")[0]?.conversation).toBe(`${CHANNEL};messageid=${inChannel["id"]}`);
  expect(answered("new in the thread")[0]?.conversation).toBe(root.conversation);
  expect(answered("new in the chat")[0]?.conversation).toBe(CHAT);
  expect(answered("from another day")).toEqual([]);
  // Each once, also after one more start.
  await stop();
  await start();
  await idle();
  expect(double.own()).toHaveLength(5);
});

it("what was answered is not taken again, above all not when its transcript was deleted since", async () => {
  const { double, share, answered, idle, stop, start, gateway } = await startAway();
  await double.deliver(share(CHAT, "to be forgotten"));
  await eventually(() => expect(answered("to be forgotten")).toHaveLength(1));
  await idle();
  const [answer] = answered("to be forgotten");
  const [card] = (answer?.activity["attachments"] ?? []) as readonly ShownCard[];
  const { job } = card?.content.actions.find(({ title }) => title === "SRT")?.data ?? {};
  await double.press(answer!, { earshot: "delete", job });
  await eventually(() => expect(answered("to be forgotten")).toEqual([]));
  await stop();
  share(CHAT, "and this one is new");
  await start();
  // Oldest first: what was deleted would have come before it.
  await eventually(() => expect(answered("and this one is new")).toHaveLength(1));
  await idle();
  expect(answered("to be forgotten")).toEqual([]);
  expect(await gateway().queue.counts()).toMatchObject({ done: 1, failed: 0 });
});

it("a conversation that may not be read, or that Microsoft is slow about, keeps nobody from the others", async () => {
  const { double, share, answered, idle, stop, start, gateway } = await startAway();
  await double.say(PERSONAL, "help");
  await double.deliver(share(CHANNEL, "one"));
  await double.deliver(share(CHAT, "two"));
  await idle();
  await stop();
  double.graph.granted.delete("ChannelMessage.Read.Group");
  share(CHANNEL, "in the closed channel");
  share(CHAT, "in the open chat");
  double.graph.fail(/^GET \/chats\/[^/]+\/messages\?/, refused(429, "TooManyRequests", { "retry-after": "0" }), 5);
  await start();
  await eventually(() => expect(answered("in the open chat")).toHaveLength(1));
  expect(answered("in the closed channel")).toEqual([]);
  expect(gateway().observed.filter(({ kind }) => kind === "unexpected")).toEqual([]);
});

interface ShownCard {
  readonly content: { readonly actions: readonly { readonly title: string; readonly data: Record<string, unknown> }[] };
}
