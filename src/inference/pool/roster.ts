// Which machines are there: each shows its card every few seconds, and the gateway keeps the last one of each.
import { Kvm } from "@nats-io/kv";
import type { Engine, PoolMember } from "../../core/ports.ts";
import type { Link } from "./connection.ts";
import { modelClass, WORKERS_BUCKET, WORKERS_STREAM } from "./names.ts";
import { readWorkerCard, type WorkerCard, writeMessage } from "./protocol.ts";

/** A card that is not shown again for so many times its own pace is one of a machine that has gone. */
const BEATS = 3;

export interface Roster {
  /** Looks who is there, and listens from then on. */
  follow(link: Link): Promise<void>;
  present(): readonly WorkerCard[];
  members(): readonly PoolMember[];
  /** Resolves when somebody came or went, or after so long. */
  change(ms: number, signal: AbortSignal): Promise<void>;
}

/** @param now milliseconds that only ever grow */
export function createRoster(now: () => number): Roster {
  const seen = new Map<string, { readonly card: WorkerCard; readonly atMs: number }>();
  const waiting = new Set<() => void>();

  function note(text: string): void {
    const card = readWorkerCard(text);
    if (card === undefined) return;
    const isNews = !seen.has(card.worker);
    seen.set(card.worker, { card, atMs: now() });
    if (isNews) ring();
  }

  function ring(): void {
    for (const go of waiting) go();
  }

  function present(): WorkerCard[] {
    return [...seen.values()].filter(({ card, atMs }) => now() - atMs < BEATS * card.everyMs).map(({ card }) => card);
  }

  return {
    async follow(link) {
      link.nc.subscribe(`$KV.${WORKERS_BUCKET}.*`, {
        callback(error, message) {
          if (error !== null) return;
          // A key that is deleted has a message of its own, which is empty.
          if (message.data.length > 0) return note(message.string());
          seen.delete(message.subject.split(".").at(-1) ?? "");
          ring();
        },
      });
      const { state } = await link.jsm.streams.info(WORKERS_STREAM, { subjects_filter: `$KV.${WORKERS_BUCKET}.*` });
      for (const subject of Object.keys(state.subjects ?? {})) {
        const message = await link.jsm.direct.getMessage(WORKERS_STREAM, { last_by_subj: subject });
        if (message !== null && message.data.length > 0) note(message.string());
      }
    },
    present,
    members() {
      return present().map(({ everyMs: _, models, ...card }) => ({
        ...card,
        models: models.map(({ model }) => model),
        device: models[0]?.device ?? "",
      }));
    },
    change(ms, signal) {
      return new Promise((resolve) => {
        const go = () => {
          clearTimeout(timer);
          waiting.delete(go);
          signal.removeEventListener("abort", go);
          resolve();
        };
        const timer = setTimeout(go, ms);
        waiting.add(go);
        signal.addEventListener("abort", go, { once: true });
      });
    },
  };
}

export const hasModel = (card: WorkerCard, model: string): boolean =>
  card.models.some((one) => modelClass(one.model) === modelClass(model));

/** What the first of them that has a model says of it. */
export function engineOf(cards: readonly WorkerCard[], model: string): Engine | undefined {
  const has = (one: { readonly model: string }) => modelClass(one.model) === modelClass(model);
  return cards.flatMap(({ models }) => models).find(has);
}

/** Shows a machine's own card. */
export async function showCard({ js }: Link, card: WorkerCard): Promise<void> {
  await (await new Kvm(js).open(WORKERS_BUCKET)).put(card.worker, writeMessage(card));
}

export async function takeCardBack({ js }: Link, worker: string): Promise<void> {
  await (await new Kvm(js).open(WORKERS_BUCKET)).delete(worker);
}
