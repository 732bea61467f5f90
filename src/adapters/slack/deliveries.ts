// What Slack delivers -> bolt, each event once; acknowledged only when all that it asked for is written down.
import type { App, ReceiverEvent } from "@slack/bolt";

export interface Deliveries {
  /** What to acknowledge with. @throws whatever the work failed with: then nothing is acknowledged, and Slack tries again */
  process(event: ReceiverEvent): Promise<unknown>;
}

/** Slack's own tries end after about six minutes. */
const REMEMBERED_MS = 15 * 60_000;

export function createDeliveries(app: Pick<App, "processEvent">, now: () => number): Deliveries {
  const known = new Map<string, { readonly atMs: number; readonly work: Promise<unknown> }>();

  function forgetOld(): void {
    for (const [id, { atMs }] of known) {
      if (atMs > now() - REMEMBERED_MS) return;
      known.delete(id);
    }
  }

  /** bolt acknowledges events before it hands them on; what it says is kept until the work is done. */
  async function work(event: ReceiverEvent): Promise<unknown> {
    let answer: unknown;
    await app.processEvent({
      ...event,
      ack: async (response: unknown) => {
        answer = response;
      },
    });
    return answer;
  }

  return {
    process(event) {
      const id: unknown = event.body["event_id"];
      if (typeof id !== "string") return work(event);
      forgetOld();
      const before = known.get(id);
      if (before !== undefined) return before.work;
      const begun = work(event);
      known.set(id, { atMs: now(), work: begun });
      // A failed one may come again.
      begun.catch(() => known.delete(id));
      return begun;
    },
  };
}
