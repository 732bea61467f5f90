// What every chat platform holds to, however it draws things.
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Invocation, Listener, Platform, Press, Reception } from "../../src/core/ports.ts";
import type { Place, Recording } from "../../src/core/recording.ts";
import type { AnswerReply, Reply } from "../../src/core/reply.ts";

/** A message as a person sees it. */
export interface Visible {
  readonly id: string;
  /** All its text, without formatting. */
  readonly text: string;
  /** Names and contents of its files. */
  readonly files: Readonly<Record<string, string>>;
  /** The message that it answers or whose thread it stands in. */
  readonly answers?: string;
}

/** What a person does on the platform, and what the platform shows. */
export interface PlatformUnderTest {
  readonly platform: Platform;
  /** A voice message with these bytes. Resolves when the platform has done with it; gives the message's id. */
  postVoiceMessage(bytes: Uint8Array): Promise<string>;
  /** The same event once more, as platforms do; absent where the platform cannot. */
  redeliver?(): Promise<void>;
  deleteMessage(id: string): Promise<void>;
  /** Types a command, such as "/jargon list". */
  command(text: string): Promise<void>;
  press(messageId: string, action: Press["action"], jobId: string): Promise<void>;
  /** What stands in the channel, oldest first, without deleted messages. */
  visible(): Promise<readonly Visible[]>;
  close(): Promise<void>;
}

export const ANSWER: AnswerReply = {
  kind: "answer",
  head: "standup.ogg · 0:07 · English · 3 words",
  text: "We use Qavylow.",
  isCut: false,
  notes: ["A note."],
  fileNames: [],
  actions: [{ name: "srt", label: "SRT", jobId: "1f3a9c" }],
};

/** Hears everything and answers as it is told. */
export function recordingListener() {
  const heard = {
    recordings: [] as Recording[],
    invocations: [] as Invocation[],
    presses: [] as Press[],
    removed: [] as string[],
  };
  let reception: () => Promise<Reception> = async () => ({ kind: "added", jobId: "1f3a9c" });
  const listener: Listener = {
    async recording(recording) {
      heard.recordings.push(recording);
      return reception();
    },
    async command(invocation) {
      heard.invocations.push(invocation);
      return { kind: "words", text: `You said ${invocation.text}.` };
    },
    async press(press) {
      heard.presses.push(press);
      return undefined;
    },
    async removed(_scope, message) {
      heard.removed.push(message);
    },
    channel: async () => Promise.reject(new Error("not asked for here")),
  };
  return {
    listener,
    heard,
    receive(with_: () => Promise<Reception>) {
      reception = with_;
    },
  };
}

const BYTES = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256);
const signal = () => new AbortController().signal;

export function platformContract(name: string, open: () => Promise<PlatformUnderTest>): void {
  describe(`the platform contract: ${name}`, () => {
    let under: PlatformUnderTest;
    let platform: Platform;
    let folder: string;
    let stop: AbortController;
    let { listener, heard, receive } = recordingListener();

    beforeEach(async () => {
      ({ listener, heard, receive } = recordingListener());
      folder = await mkdtemp(join(tmpdir(), "earshot-platform-"));
      under = await open();
      platform = under.platform;
      stop = new AbortController();
      await platform.listen(listener, stop.signal);
    });
    afterEach(async () => {
      stop.abort();
      await under.close();
      await rm(folder, { recursive: true, force: true });
    });

    async function posted(): Promise<{ recording: Recording; place: Place; message: string }> {
      const message = await under.postVoiceMessage(BYTES);
      const [recording] = heard.recordings;
      if (recording === undefined) throw new Error("The listener heard of no recording.");
      return { recording, place: recording.place, message };
    }
    const reply = (place: Place, what: Reply, key = "1f3a9c:status", more = {}) =>
      platform.reply(place, what, { key, ...more });
    const shown = async (id: string) => (await under.visible()).find((message) => message.id === id);

    it("tells of a voice message with a key, its place and its name", async () => {
      const { recording, place, message } = await posted();
      expect(heard.recordings).toHaveLength(1);
      expect(recording.kind).toBe("voice message");
      expect(recording.key).not.toBe("");
      expect(recording.name).not.toBe("");
      expect(place).toMatchObject({ platform: platform.name, message });
      // A job keeps it as JSON.
      expect(JSON.parse(JSON.stringify(recording))).toEqual(recording);
      expect(JSON.stringify(recording)).not.toMatch(/https?:/);
    });

    it("has done with a message only once the listener has", async () => {
      let write = () => {};
      const written = new Promise<void>((resolve) => {
        write = resolve;
      });
      receive(async () => {
        await written;
        return { kind: "added", jobId: "1f3a9c" };
      });
      let isAcknowledged = false;
      const posting = under.postVoiceMessage(BYTES).then(() => {
        isAcknowledged = true;
      });
      try {
        await expect.poll(() => heard.recordings.length).toBeGreaterThan(0);
        expect(isAcknowledged).toBe(false);
      } finally {
        write();
        await posting;
      }
    });

    it("gives the same event the same key, and another message another", async () => {
      await posted();
      await under.redeliver?.();
      const keys = new Set(heard.recordings.map(({ key }) => key));
      expect(keys.size).toBe(1);
      await under.postVoiceMessage(BYTES);
      expect(new Set(heard.recordings.map(({ key }) => key)).size).toBe(2);
    });

    it("downloads the very bytes to a new file that only its owner reads", async () => {
      const { recording } = await posted();
      const path = join(folder, "1f3a9c.media");
      await platform.download(recording, path, signal());
      expect(Buffer.from(BYTES).equals(await readFile(path))).toBe(true);
      expect((await stat(path)).mode & 0o077).toBe(0);
    });

    it("says that a recording is gone, and stops a download when told to", async () => {
      const { recording, message } = await posted();
      const abort = new AbortController();
      abort.abort(new Error("cancelled"));
      await expect(platform.download(recording, join(folder, "a"), abort.signal)).rejects.toThrow("cancelled");
      await under.deleteMessage(message);
      await expect(platform.download(recording, join(folder, "b"), signal())).rejects.toMatchObject({
        name: "PlatformError",
        code: "gone",
      });
    });

    it("tells of a deleted message", async () => {
      const { message } = await posted();
      await under.deleteMessage(message);
      expect(heard.removed).toEqual([message]);
    });

    it("posts a status under the recording and puts the answer in its place", async () => {
      const { place, message } = await posted();
      const id = await reply(place, { kind: "status", text: "Transcribing …", progress: 0.5, actions: [] });
      expect(await shown(id)).toMatchObject({ answers: message, text: expect.stringContaining("Transcribing …") });
      expect(await reply(place, ANSWER, "1f3a9c:status", { editId: id })).toBe(id);
      const answer = await shown(id);
      expect(answer?.text).not.toContain("Transcribing");
      for (const part of [ANSWER.head, ANSWER.text, "A note.", "SRT"]) expect(answer?.text).toContain(part);
    });

    it("posts the same thing once, also when an earlier attempt died before it could say so", async () => {
      const { place } = await posted();
      const before = (await under.visible()).length;
      const first = await reply(place, { kind: "status", text: "Transcribing …", actions: [] });
      const second = await reply(place, ANSWER, "1f3a9c:status", { mayExist: true });
      expect(second).toBe(first);
      expect(await under.visible()).toHaveLength(before + 1);
      await reply(place, ANSWER, "ffffff:status");
      expect(await under.visible()).toHaveLength(before + 2);
    });

    it("says that the message to edit is gone", async () => {
      const { place } = await posted();
      const id = await reply(place, { kind: "status", text: "Transcribing …", actions: [] });
      await under.deleteMessage(id);
      await expect(reply(place, ANSWER, "1f3a9c:status", { editId: id })).rejects.toMatchObject({
        name: "PlatformError",
        code: "gone",
      });
    });

    it("sends a file with its name and content", async () => {
      const { place } = await posted();
      const content = "1\n00:00:00,000 --> 00:00:02,000\nGrüße, Qavylow\n\n";
      const id = await reply(
        place,
        { kind: "file", file: { name: "standup.srt", mimeType: "application/x-subrip", content } },
        "1f3a9c:standup.srt",
      );
      expect((await shown(id))?.files).toEqual({ "standup.srt": content });
    });

    it("takes texts of any length, as much of them as it can show", async () => {
      const { place } = await posted();
      const text = "All that was said. ".repeat(3000).trim();
      const id = await reply(place, { ...ANSWER, text, isCut: true });
      expect((await shown(id))?.text).toContain(text.slice(0, 500));
      await reply(place, { kind: "words", text }, "1f3a9c:words");
      expect((await under.visible()).length).toBeGreaterThanOrEqual(3);
    });

    it("shows text as it is, whatever it looks like", async () => {
      const { place } = await posted();
      const text =
        '<!channel> @everyone <@U1> *bold* _x_ `code` [link](https://example.org) <script>alert("1")</script> & &amp;';
      const id = await reply(place, { ...ANSWER, text });
      expect((await shown(id))?.text).toContain(text);
    });

    it("hears commands and shows what comes back", async () => {
      await under.command("/jargon add Qavylow, Zentrix");
      expect(heard.invocations).toMatchObject([
        { command: "jargon", text: "add Qavylow, Zentrix", place: { platform: platform.name } },
      ]);
      expect((await under.visible()).some(({ text }) => text.includes("You said add Qavylow, Zentrix."))).toBe(true);
    });

    it("shows the files that come with the answer to a command", async () => {
      const { place } = await posted();
      const file = { name: "glossary.txt", mimeType: "text/plain", content: "Qavylow\nZentrix\n" };
      await reply(place, { kind: "words", text: "Here are 2 terms.", files: [file] }, "1f3a9c:words");
      const files = (await under.visible()).flatMap((message) => Object.entries(message.files));
      expect(files).toContainEqual(["glossary.txt", file.content]);
    });

    it("hears its buttons", async () => {
      const { place } = await posted();
      const id = await reply(place, ANSWER);
      await under.press(id, "srt", "1f3a9c");
      expect(heard.presses).toMatchObject([{ action: "srt", jobId: "1f3a9c", place: { channel: place.channel } }]);
    });

    it("shows why a recording was refused", async () => {
      receive(async () => ({ kind: "refused", reply: { kind: "words", text: "It is too long." } }));
      await posted();
      expect((await under.visible()).some(({ text }) => text.includes("It is too long."))).toBe(true);
    });
  });
}
