// Help that fits on a phone.
import type { CommandName } from "../ports.ts";

const TRANSCRIBE = `/transcribe takes down a recording.

\`/transcribe\` the one you attach, or else
the newest here
\`/transcribe LINK\` the one in a message
\`/transcribe 1f3a9c\` an earlier one, by job
\`/transcribe latest german\` in a language
\`/transcribe latest translate\` into English
\`/transcribe latest small srt\` with a model,
and as a file`;

const JARGON = `/jargon keeps this channel's words.

\`/jargon list\`
\`/jargon add Qavylow, Zentrix\`
\`/jargon add Qavylow = kah vee low\`
  and how it has been misheard
\`/jargon remove Zentrix\`
\`/jargon pairs add cube control = kubectl\`
\`/jargon pairs remove cube control\`
\`/jargon prompt Notes of a stand-up.\`
\`/jargon import\` and then one a line
\`/jargon export\`
\`/jargon try\` hears the newest again

\`--workspace\` at the end: for all channels`;

const EARSHOT = `/earshot looks after this channel.

\`/earshot settings\`
\`/earshot settings language german\`
\`/earshot stats\`
\`/earshot search deadline friday\`
\`/earshot forget 1f3a9c\` a transcript
\`/earshot forget all\` of this channel

See also \`/transcribe help\`, \`/jargon help\``;

export function helpFor(command: CommandName): string {
  switch (command) {
    case "transcribe":
      return TRANSCRIBE;
    case "jargon":
      return JARGON;
    case "earshot":
      return EARSHOT;
    default:
      return command satisfies never;
  }
}
