// A listener that writes down what a platform tells it, in place of the gateway's own.
import type { ChannelView, Invocation, Listener, Press, Reception } from "../../src/core/ports.ts";
import type { Recording } from "../../src/core/recording.ts";
import type { Reply } from "../../src/core/reply.ts";
import { DEFAULT_SETTINGS } from "../../src/core/settings.ts";

/** What holds in every channel. */
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

export interface Told {
  readonly recordings: Recording[];
  readonly invocations: Invocation[];
  readonly presses: Press[];
  /** Ids of messages. */
  readonly removed: string[];
}

/** @param own what it does otherwise */
export function notedListener(own: Partial<Listener> = {}): { readonly told: Told; readonly listener: Listener } {
  const told: Told = { recordings: [], invocations: [], presses: [], removed: [] };
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
  return { told, listener };
}
