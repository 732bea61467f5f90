// What the commands work with.
import type { Intake } from "../intake.ts";
import type { GatewayLimits } from "../limits.ts";
import type { GlossaryStore, JobQueue, PromptTokens, SettingsStore, TranscriptStore } from "../ports.ts";

export interface CommandParts {
  readonly queue: JobQueue;
  readonly settings: SettingsStore;
  readonly glossary: GlossaryStore;
  readonly transcripts: TranscriptStore;
  readonly intake: Pick<Intake, "ask">;
  readonly tokens: (model: string) => PromptTokens;
  /** Names that may be chosen, the best known first. */
  readonly models: readonly string[];
  /** USD that a cloud API takes for a minute. */
  readonly cloudPricePerMinute: number;
  readonly limits: GatewayLimits;
  readonly now: () => number;
}
