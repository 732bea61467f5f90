// The public Whisper models: what they are called, where they lie, what they need and which languages they are weak in.
import { readFileSync } from "node:fs";
import * as z from "zod";
import { LANGUAGES } from "../core/languages.ts";
import type { Precision } from "./model-files.ts";

const modelSchema = z.object({
  name: z.string(),
  aliases: z.array(z.string()).default([]),
  repos: z.array(z.string()).nonempty(),
  parameters: z.int().positive(),
  relativeSpeed: z.number().positive(),
  languages: z.union([z.literal("en"), z.int()]),
  goodFor: z.string(),
});

const percentByLanguage = z.record(z.string(), z.number());

const catalogSchema = z.object({
  models: z.array(modelSchema),
  errorRates: z.object({ model: z.string(), fleurs: percentByLanguage, commonVoice15: percentByLanguage }),
});

/**
 * A model of the catalog. `repos` are tried in order, those whose decoder gives its attentions (for word times) first;
 * `relativeSpeed` is against large-v3 on one GPU, as openai measured it; `languages` is their number, or "en" alone.
 */
export type CatalogModel = Readonly<z.infer<typeof modelSchema>>;

const catalog = catalogSchema.parse(
  JSON.parse(readFileSync(new URL("../../models/catalog.json", import.meta.url), "utf8")),
);

/** Every public model, from the smallest to the most accurate. */
export const catalogModels: readonly CatalogModel[] = catalog.models;

/** The catalog's entry for a name or one of its aliases ("turbo", "base_timestamped"). */
export function findCatalogModel(name: string): CatalogModel | undefined {
  const wanted = name.replace(/_timestamped$/, "");
  return catalogModels.find((model) => model.name === wanted || model.aliases.includes(wanted));
}

const bytesPerParameter: Readonly<Record<Precision, number>> = {
  fp32: 4,
  fp16: 2,
  int8: 1,
  uint8: 1,
  q8: 1,
  q4: 0.75,
  q4f16: 0.6,
  bnb4: 0.75,
};

/** About what a download takes, in bytes; the public files of base, medium and large-v3 are within 4% of it at 1, 2 and 4 bytes. */
export function approximateBytes(model: CatalogModel, precision: Precision): number {
  return model.parameters * bytesPerParameter[precision];
}

/** From this published error rate on, what comes out needs correcting line by line. */
const weakPercent = 25;

/**
 * A sentence for the user when a model is known to be weak in a language.
 * @param modelName catalog name; any other model gets no warning
 * @param language ISO code, as the model uses it
 */
export function languageWarning(modelName: string, language: string): string | undefined {
  const model = findCatalogModel(modelName);
  if (!model) return undefined;
  const spoken = LANGUAGES[language] ?? language;
  if (model.languages === "en") {
    if (language === "en") return undefined;
    return `${model.name} understands English only: use ${model.name.replace(/\.en$/, "")} for ${spoken}.`;
  }
  const rates = catalog.errorRates;
  const percent = rates.fleurs[language] ?? rates.commonVoice15[language];
  if (percent === undefined) {
    return `Whisper is weak in ${spoken}, or nobody measured it: openai names no error rate for it. Check the text before you rely on it.`;
  }
  if (percent < weakPercent) return undefined;
  const smaller = model.name === rates.model ? "" : `, ${model.name} more`;
  return `Whisper is weak in ${spoken}: ${rates.model} gets about ${Math.round(percent)} of 100 words wrong${smaller}. Check the text before you rely on it.`;
}
