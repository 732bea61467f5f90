// The contract of every chat platform, held by real botbuilder against a local Bot Connector: in a personal chat, in a
// channel's thread and in a group chat.
import fastify from "fastify";
import { createTeams } from "../../../src/adapters/teams/index.ts";
import type { Platform } from "../../../src/core/ports.ts";
import type { Reply } from "../../../src/core/reply.ts";
import { type PlatformUnderTest, platformContract, type Visible } from "../../contracts/platform.ts";
import { memoryNotes } from "../../support/memory-notes.ts";
import { CHANNEL, CHAT, PERSONAL, type Posted, startTeamsDouble } from "../../support/teams-double.ts";
import { buttonData } from "../../support/teams-messages.ts";

async function open(conversation: string): Promise<PlatformUnderTest> {
  const double = await startTeamsDouble();
  const { platform, plugins } = createTeams({
    app: double.app,
    hosts: double.hosts,
    meetings: { kind: "off" },
    notes: memoryNotes(),
    maxBytes: 10_000_000,
    callEveryMs: 0,
    now: Date.now,
  });
  const web = fastify();
  for (const plugin of plugins) await web.register(plugin);
  double.useEndpoint(`${await web.listen({ host: "127.0.0.1", port: 0 })}/api/messages`);

  const isPersonal = conversation === PERSONAL;
  const delivered: Record<string, unknown>[] = [];
  /** Files that took the place of the question whether they may be sent. */
  const agreed = new Map<string, Posted>();
  const idOf = (post: Posted) => (post.isBot ? `${post.conversation}|${post.id}` : post.id);
  const postWith = (id: string) => {
    const found = double.posted.find((post) => idOf(post) === id);
    if (found === undefined) throw new Error(`There is no message ${id}.`);
    return found;
  };
  const isQuestion = (post: Posted) => JSON.stringify(post.activity).includes("file.consent");

  /** The person agrees to every file. */
  async function agree(): Promise<void> {
    for (const question of double.own().filter(isQuestion)) {
      await double.consent(question, "accept");
      const file = double.own().at(-1);
      if (file !== undefined) agreed.set(idOf(question), file);
    }
  }

  /** The gateway gives a transcript's file again when somebody agrees to it; so does this. */
  const made = new Map<string, Reply>();
  const remembering: Platform = {
    ...platform,
    listen: (listener, signal) =>
      platform.listen(
        { ...listener, press: async (press) => made.get(`${press.jobId}.${press.action}`) ?? listener.press(press) },
        signal,
      ),
    reply(place, reply, posting) {
      if (reply.kind === "file") made.set(`${posting.key.split(":")[0]}.${reply.file.name.split(".").at(-1)}`, reply);
      return platform.reply(place, reply, posting);
    },
  };

  return {
    platform: remembering,
    async postVoiceMessage(bytes) {
      const activity = isPersonal
        ? double.fileActivity("memo.m4a", bytes)
        : double.sharedActivity(conversation, "memo.m4a", bytes);
      delivered.push(activity);
      await double.deliver(activity);
      return String(activity["id"]);
    },
    async redeliver() {
      for (const activity of delivered) await double.deliver(activity);
    },
    async deleteMessage(id) {
      for (const { item } of [...double.graph.items.values()].map((item) => ({ item })))
        double.graph.items.delete(item.id);
      await double.remove(postWith(id));
    },
    async command(text) {
      await double.say(conversation, isPersonal ? text : "", isPersonal ? {} : double.mention(text));
    },
    async press(id, action) {
      const post = postWith(id);
      const data = buttonData(post.activity, action.toUpperCase());
      if (data === undefined) throw new Error(`There is no button ${action}.`);
      await double.press(post, data);
    },
    async visible() {
      if (isPersonal) await agree();
      const asked = new Map([...agreed].map(([question, file]) => [idOf(file), question]));
      return double.shown().map((post): Visible => {
        const [, root] = post.conversation.split(";messageid=");
        const answers = post.isBot ? (post.answers ?? (root === post.id ? undefined : root)) : undefined;
        return {
          id: asked.get(idOf(post)) ?? idOf(post),
          text: double.textOf(post),
          files: double.filesOf(post),
          ...(answers === undefined ? {} : { answers }),
        };
      });
    },
    async close() {
      await web.close();
      await double.close();
    },
  };
}

platformContract("Teams in a personal chat", () => open(PERSONAL));
platformContract("Teams in a channel", () => open(CHANNEL));
platformContract("Teams in a group chat", () => open(CHAT));
