// Where the settings' values come from: flags over environment over file.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { editDistance, slipDistance } from "../core/edit-distance.ts";
import { flagFor, isSecret, SETTINGS, type SettingName, type SettingValues, settingNames } from "./settings.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigSources {
  readonly flags: readonly string[];
  readonly env: Environment;
  /** Folder in which earshot.config.json is looked for. */
  readonly cwd: string;
}

/** The values that were given and can be used; a sentence for each that cannot. */
export function readValues({ flags, env, cwd }: ConfigSources, problems: string[]): SettingValues {
  const flagged = readFlags(flags, problems);
  const path = flagged["config"] ?? env["EARSHOT_CONFIG"];
  const filed = readFile(resolve(cwd, path ?? "earshot.config.json"), path !== undefined, problems);
  const values: SettingValues = {};
  for (const name of settingNames()) {
    const found =
      given(flagFor(name), flagged[name]) ??
      fromEnvironment(name, env, problems) ??
      given(`${name} in earshot.config.json`, filed[name]);
    if (found === undefined) continue;
    const parsed = SETTINGS[name].kind.safeParse(found.value);
    if (parsed.success) Object.assign(values, { [name]: parsed.data });
    else problems.push(`${found.source} ${parsed.error.issues[0]?.message ?? "cannot be used"}.`);
  }
  return values;
}

function given(source: string, value: unknown): { source: string; value: unknown } | undefined {
  return value === undefined ? undefined : { source, value };
}

function readFlags(flags: readonly string[], problems: string[]): Record<string, string> {
  const byFlag = new Map<string, string>([["--config", "config"]]);
  for (const name of settingNames()) if (!isSecret(name)) byFlag.set(flagFor(name), name);
  const read: Record<string, string> = {};
  for (let index = 0; index < flags.length; index++) {
    const word = flags[index] ?? "";
    const [flag = "", inline] = word.split(/=(.*)/s);
    const name = byFlag.get(flag);
    if (name === undefined) {
      problems.push(unknown(flag, [...byFlag.keys()], "earshot start"));
      // What follows it is most likely its value.
      if (inline === undefined && !flags[index + 1]?.startsWith("--")) index++;
      continue;
    }
    const value = inline ?? flags[++index];
    if (value === undefined) problems.push(`${flag} needs a value.`);
    else read[name] = value;
  }
  return read;
}

function readFile(path: string, isRequired: boolean, problems: string[]): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    if (code !== "ENOENT" || isRequired) problems.push(`The settings file ${path} cannot be read (${code}).`);
    return {};
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    problems.push(`${path} is not JSON: ${error instanceof Error ? error.message : error}.`);
    return {};
  }
  const object = z.record(z.string(), z.unknown()).safeParse(content);
  if (!object.success) {
    problems.push(`${path} must hold one JSON object of settings.`);
    return {};
  }
  for (const key of Object.keys(object.data)) {
    if (!Object.hasOwn(SETTINGS, key)) problems.push(unknown(key, settingNames(), path));
  }
  return object.data;
}

function unknown(key: string, known: readonly string[], where: string): string {
  const near = known.find((name) => editDistance(key, name) <= slipDistance(key));
  return `${where} does not know "${key}".${near === undefined ? "" : ` Did you mean ${near}?`}`;
}

/** A secret may also lie in a file: SLACK_BOT_TOKEN_FILE, as container platforms give it. */
function fromEnvironment(name: SettingName, env: Environment, problems: string[]) {
  const { variable } = SETTINGS[name];
  const value = env[variable];
  const path = isSecret(name) ? env[`${variable}_FILE`] : undefined;
  // An empty variable is one that is not set, as in compose files.
  if (value) return { source: variable, value };
  if (!path) return undefined;
  try {
    return { source: `${variable}_FILE`, value: readFileSync(path, "utf8").trim() };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    problems.push(`${variable}_FILE names a file that cannot be read (${code}).`);
    return undefined;
  }
}
