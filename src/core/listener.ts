// What the gateway does with what people do: the one listener that all platforms tell.
import type { createCommands } from "./commands.ts";
import { buildPrompt } from "./glossary.ts";
import type { Intake } from "./intake.ts";
import type { GlossaryStore, JobQueue, Listener, PromptTokens, SettingsStore, TranscriptStore } from "./ports.ts";
import type { createPress } from "./press.ts";
import { effectiveSettings } from "./settings.ts";

export interface ListenerParts {
  readonly intake: Intake;
  readonly commands: ReturnType<typeof createCommands>;
  readonly press: ReturnType<typeof createPress>;
  readonly queue: Pick<JobQueue, "list">;
  readonly settings: SettingsStore;
  readonly glossary: GlossaryStore;
  readonly transcripts: Pick<TranscriptStore, "forget">;
  readonly tokens: (model: string) => PromptTokens;
}

export function createListener(parts: ListenerParts): Listener {
  const { intake, commands, press } = parts;
  return {
    recording: (recording, request) => intake.posted(recording, request),
    command: (invocation) => commands(invocation),
    press: (pressed) => press(pressed),

    async removed(scope, message) {
      const jobs = await parts.queue.list({ scope, limit: 1000 });
      for (const job of jobs) if (job.recording.place.message === message) await intake.cancel(job.id);
      // A message that is deleted takes what was said in it along.
      await parts.transcripts.forget({ scope, message }, "");
    },

    async channel(scope) {
      const [workspace, own] = [await parts.settings.workspace(scope), await parts.settings.channel(scope)];
      const settings = effectiveSettings(workspace, own);
      const glossary = await parts.glossary.of(scope);
      const tokens = parts.tokens(settings.model);
      const { used } = await buildPrompt(glossary, settings, tokens);
      return { settings, workspace, own, glossary, promptTokens: { used, budget: tokens.budget } };
    },
  };
}
