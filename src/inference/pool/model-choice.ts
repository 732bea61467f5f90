// Which of the pool's models serves, and whether to wait for a machine that has it.
import { InferenceError } from "../../core/errors.ts";
import { catalogModels, findCatalogModel } from "../catalog.ts";
import { modelClass } from "./names.ts";
import type { WorkerCard } from "./protocol.ts";
import { hasModel, type Roster } from "./roster.ts";

/** How long a model of which no machine is left may be away, as while its machines are restarted. */
export const MODEL_AWAY_MS = 600_000;
const LOOK_EVERY_MS = 1000;

/** The most accurate of those that are there; what knows English alone only where there is nothing else. */
export function bestModel(cards: readonly WorkerCard[]): string | undefined {
  const there = (name: string) => cards.some((card) => hasModel(card, name));
  const multilingual = catalogModels.findLast((model) => model.languages !== "en" && there(model.name));
  const english = catalogModels.findLast((model) => there(model.name));
  return (multilingual ?? english)?.name ?? cards.flatMap(({ models }) => models.map(({ model }) => model))[0];
}

/** The name under which the pool's machines know a model. */
export function poolName(model: string): string {
  return findCatalogModel(model)?.name ?? model;
}

/**
 * The model that a recording is put into the pool for. One of the catalog may come later; for "auto" it takes a machine to
 * know what is the best, and for any other name one that has it.
 * @throws InferenceError model_missing; the signal's reason
 */
export async function chooseModel(
  wanted: string,
  roster: Roster,
  waiting: () => void,
  signal: AbortSignal,
): Promise<string> {
  const name = poolName(wanted);
  if (name !== "auto" && !isUnknownModel(name)) return name;
  for (;;) {
    signal.throwIfAborted();
    const cards = roster.present();
    const chosen = name === "auto" ? bestModel(cards) : name;
    if (chosen !== undefined && cards.some((card) => hasModel(card, chosen))) return chosen;
    if (cards.length > 0 && name !== "auto") throw modelMissing(name, cards);
    waiting();
    await roster.change(LOOK_EVERY_MS, signal);
  }
}

/** Tells whether a machine is there that has the model. @throws model_missing when for so long only others were there */
export function watchModel(model: string, roster: Roster, awayMs: number): () => boolean {
  let awaySinceMs: number | undefined;
  return () => {
    const cards = roster.present();
    const isThere = cards.some((card) => hasModel(card, model));
    if (isThere || cards.length === 0) awaySinceMs = undefined;
    else {
      awaySinceMs ??= performance.now();
      if (performance.now() - awaySinceMs >= awayMs) throw modelMissing(model, cards);
    }
    return isThere;
  };
}

/** Neither of the catalog nor the demo model: a machine that is about to come will hardly have it. */
export function isUnknownModel(name: string): boolean {
  return name !== "auto" && name !== "demo" && findCatalogModel(name) === undefined;
}

export function modelMissing(name: string, cards: readonly WorkerCard[]): InferenceError {
  const known = [...new Set(cards.flatMap(({ models }) => models.map(({ model }) => model)))].join(", ");
  return new InferenceError(
    "model_missing",
    `No machine of the pool has the model "${modelClass(name)}" (they have ${known || "none"}): run ` +
      `"earshot models pull ${modelClass(name)}" on one of them and start its worker again.`,
  );
}
