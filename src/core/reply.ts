// What is shown to people, free of any platform: each platform draws it in its own way.
import type { ActionName } from "./ports.ts";

/** Text is data: a platform escapes all of it. In the words of Earshot itself, `backticks` mark what can be typed. */
export type Reply =
  | StatusReply
  | AnswerReply
  | {
      readonly kind: "failure";
      /** What happened and what to do. */
      readonly text: string;
      readonly actions: readonly Action[];
    }
  /** One transcript file, sent beside an answer or when its button is pressed. */
  | { readonly kind: "file"; readonly file: OutputFile }
  /** The answer to a command: lines of Earshot's own words. */
  | { readonly kind: "words"; readonly text: string; readonly files?: readonly OutputFile[] };

export interface StatusReply {
  readonly kind: "status";
  readonly text: string;
  /** 0 to 1; left out while it waits. */
  readonly progress?: number;
  readonly actions: readonly Action[];
}

export interface AnswerReply {
  readonly kind: "answer";
  /** One line: file name, length, language, words. */
  readonly head: string;
  /** The transcript, whole or its beginning; "" when nobody speaks. */
  readonly text: string;
  /** The rest of the text is in the files. */
  readonly isCut: boolean;
  /** Sentences under the text. */
  readonly notes: readonly string[];
  /** Names of the files that are sent beside it. */
  readonly fileNames: readonly string[];
  readonly actions: readonly Action[];
}

export interface OutputFile {
  readonly name: string;
  readonly mimeType: string;
  readonly content: string;
}

export interface Action {
  readonly name: ActionName;
  readonly label: string;
  readonly jobId: string;
}
