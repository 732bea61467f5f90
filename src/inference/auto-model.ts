// Model "auto": which model serves now, and the one to fetch where there is none but the demo model.
import process from "node:process";
import { type PulledModel, type PullOptions, pullModel } from "./model-download.ts";
import { installedModels, type ModelFolder, type ResolveOptions, recommendedModel, resolveModel } from "./models.ts";

export interface AutoModel {
  /** The best on disk that fits the device, else the demo model, whose notes say so. */
  readonly serving: ModelFolder;
  /** Present where no model but the demo is on disk. Once it is fetched, "auto" means it. */
  readonly missing?: MissingModel;
}

export interface MissingModel {
  /** Catalog name. */
  readonly name: string;
  /**
   * Goes on with what an earlier try left behind. Another model may serve meanwhile.
   * @throws InferenceError download_failed, within 5 s where the hub cannot be reached; else as `pullModel`
   */
  fetch(options: Pick<PullOptions, "signal" | "onProgress" | "precision">): Promise<PulledModel>;
}

/** Long enough for a slow line, short enough for somebody who waits for a transcript. */
const REACH_MS = 5000;

export async function autoModel(options: ResolveOptions): Promise<AutoModel> {
  const { device, env = process.env } = options;
  const serving = await resolveModel("auto", options);
  // Where models are on disk and none of them fits, a download would help nobody.
  if (!serving.isDemo || installedModels(env).length > 0) return { serving };
  const name = recommendedModel(device);
  return {
    serving,
    missing: { name, fetch: (request) => pullModel(name, { ...request, device, env, reachMs: REACH_MS }) },
  };
}
