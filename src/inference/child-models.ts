// The models that the inference child holds: loaded when asked for, kept warm, and unloaded when room is needed.
import process from "node:process";
import type { ChildSettings } from "./child-protocol.ts";
import { defined } from "./defined.ts";
import { graphFiles, weightBytes } from "./model-files.ts";
import { installedModels, memoryNeed, resolveModel } from "./models.ts";
import type { Device } from "./session.ts";
import type { Whisper } from "./whisper.ts";

export interface ChildModels {
  /** The model under this name, loaded now if it is not yet. It stays at least until `done` is called. */
  use(name: string): Promise<ModelInUse>;
}

export interface ModelInUse {
  readonly whisper: Whisper;
  done(): void;
}

interface Loaded {
  readonly key: string;
  readonly whisper: Whisper;
  users: number;
  idle?: NodeJS.Timeout | undefined;
}

export type Load = (
  name: string,
  options: { readonly device: Device | "auto"; readonly threads?: number },
) => Promise<Whisper>;

/** Unused models beyond this many are unloaded, the least recently used one first. */
const MOST_LOADED = 2;

export function createChildModels(
  { device, threads, idleUnloadMs }: Pick<ChildSettings, "device" | "threads" | "idleUnloadMs">,
  load: Load,
): ChildModels {
  /** The least recently used first. */
  const loaded: Loaded[] = [];
  let last: Promise<unknown> = Promise.resolve();

  /** A name's model among those loaded. What "auto" loaded is also found by its catalog name. */
  function find(name: string): Loaded | undefined {
    const key = keyOf(name);
    return loaded.find((model) => model.key === key || (isAuto(model) && model.whisper.name === name));
  }

  async function open(name: string): Promise<Loaded> {
    const known = find(name);
    if (known !== undefined) return known;
    await makeRoom(name);
    const whisper = await load(name, { device, ...defined({ threads: threads || undefined }) });
    const model = { key: keyOf(name), whisper, users: 0 };
    loaded.push(model);
    return model;
  }

  async function makeRoom(name: string): Promise<void> {
    for (const model of loaded.filter(({ users }) => users === 0)) {
      if (loaded.length < MOST_LOADED && (await fits(name, device))) return;
      await unload(model);
    }
  }

  async function unload(model: Loaded): Promise<void> {
    clearTimeout(model.idle);
    loaded.splice(loaded.indexOf(model), 1);
    await model.whisper.close();
  }

  function release(model: Loaded): void {
    model.users--;
    if (model.users > 0 || idleUnloadMs === undefined) return;
    model.idle = setTimeout(() => {
      last = last.then(() => (model.users === 0 && loaded.includes(model) ? unload(model) : undefined)).catch(() => {});
    }, idleUnloadMs);
    model.idle.unref();
  }

  return {
    use(name) {
      // One after the other, so that two that ask for the same model get one, and room is counted rightly.
      const opened = last.then(async (): Promise<ModelInUse> => {
        const model = await open(name);
        clearTimeout(model.idle);
        model.users++;
        loaded.push(...loaded.splice(loaded.indexOf(model), 1));
        let isDone = false;
        return {
          whisper: model.whisper,
          done() {
            if (isDone) return;
            isDone = true;
            release(model);
          },
        };
      });
      last = opened.catch(() => {});
      return opened;
    },
  };
}

const AUTO = "auto ";
const isAuto = ({ key }: Loaded) => key.startsWith(AUTO);

/** "auto" may mean another model as soon as a download is done. */
function keyOf(name: string): string {
  return name === "auto"
    ? AUTO +
        installedModels()
          .map(({ model }) => model.name)
          .join(" ")
    : name;
}

/** Whether there is memory for one more. What cannot be told here is told by the loading itself. */
async function fits(name: string, device: Device | "auto"): Promise<boolean> {
  const on = device === "auto" ? "cpu" : device;
  try {
    const { path } = await resolveModel(name, { device: on });
    return memoryNeed(weightBytes(graphFiles(path, undefined, on))) <= process.availableMemory();
  } catch {
    return true;
  }
}
