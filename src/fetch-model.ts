// Fetches the model that "auto" wants on this machine while the demo model serves.
import type { Engine, Transcriber } from "./core/ports.ts";
import { autoModel } from "./inference/auto-model.ts";
import type { Environment } from "./inference/models.ts";
import type { Device } from "./inference/session.ts";
import type { Log } from "./log.ts";

export interface ModelFetch {
  /** Catalog name of the model that comes; undefined: none is missing. */
  readonly name: string | undefined;
  /** What serves then: the fetched model, or as before where it could not be had. */
  readonly engine: Promise<Engine>;
}

export async function fetchModel(
  serving: Engine,
  transcriber: Transcriber,
  { env, log, signal }: { readonly env: Environment; readonly log: Log; readonly signal: AbortSignal },
): Promise<ModelFetch> {
  // The engine names its devices as session.ts does.
  const { missing } = await autoModel({ device: serving.device as Device, env });
  if (missing === undefined) return { name: undefined, engine: Promise.resolve(serving) };
  const fetched = missing.fetch({ signal }).then(
    () => {
      log.info(`The model ${missing.name} is here and serves from now on.`);
      return transcriber.engine("auto");
    },
    (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      if (!signal.aborted) log.warn(`The model ${missing.name} could not be fetched. ${why}`);
      return serving;
    },
  );
  return { name: missing.name, engine: fetched };
}
