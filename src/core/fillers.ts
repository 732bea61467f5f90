// Takes out sounds of hesitation, such as "um" and "äh", and the commas around them. Nothing that could be a word is touched.
import { changePieces, type Piece } from "./pieces.ts";
import type { Transcript } from "./transcript.ts";

/** Language -> sounds that are no word in it: German "um" and Portuguese "um" are words. */
const FILLERS: Readonly<Record<string, readonly string[]>> = {
  en: ["um", "umm", "ummm", "uh", "uhh", "uhm", "er", "erm"],
  de: ["äh", "ähm", "ähh", "öh", "öhm"],
  nl: ["eh", "ehm", "uh", "uhm"],
  fr: ["euh", "heu", "euhm"],
  es: ["ehm", "em", "mmm"],
  it: ["ehm", "uhm", "mmm"],
  pt: ["hã", "ehm", "hum"],
  pl: ["yyy", "eee", "yhm"],
  sv: ["öh", "öhm", "eh", "ehm"],
  da: ["øh", "øhm"],
  no: ["øh", "øhm", "eh", "ehm"],
  fi: ["öö", "öh"],
  ru: ["эээ", "эм", "э-э", "э-э-э"],
  uk: ["еее", "ем", "е-е"],
};

/** @param language of the text, which after a translation is English */
export function withoutFillers<T extends Transcript>(transcript: T, language: string): T {
  return changePieces(transcript, (pieces, segment) => cleaned(pieces, segment.language ?? language));
}

function cleaned(pieces: readonly Piece[], language: string): readonly Piece[] {
  const fillers = FILLERS[language] ?? [];
  const isFiller = ({ text }: Piece) => {
    const word = bare(text);
    // "ER" is a place, and "Uh?" is a question.
    return (
      fillers.includes(word.toLowerCase()) &&
      (word === word.toLowerCase() || word.slice(1) === word.slice(1).toLowerCase()) &&
      /^[,.…\-–]*$/u.test(endOf(text))
    );
  };
  if (!pieces.some(isFiller)) return pieces;

  const kept: Piece[] = [];
  let beginsSentence = false;
  for (const piece of pieces) {
    if (isFiller(piece)) {
      const end = endOf(piece.text);
      const before = kept.at(-1);
      if (before !== undefined) kept[kept.length - 1] = { ...before, text: closed(before.text, end) };
      beginsSentence ||= /\p{Lu}/u.test(bare(piece.text)) && !/^[.…]/u.test(end);
      continue;
    }
    kept.push(beginsSentence ? { ...piece, text: capitalised(piece.text) } : piece);
    beginsSentence = false;
  }
  return kept;
}

/** The word before a filler takes over the end of the sentence, and gives up a comma that was there for the filler. */
function closed(text: string, fillersEnd: string): string {
  if (/^[.…]/u.test(fillersEnd)) return /[.!?…]["”»)]*$/u.test(text) ? text : `${text.replace(/,$/u, "")}.`;
  return fillersEnd.startsWith(",") ? text.replace(/,$/u, "") : text;
}

function capitalised(text: string): string {
  return text.replace(/\p{L}/u, (letter) => letter.toUpperCase());
}

const bare = (text: string) => text.replace(/^[\s"“„«(]+|[\s,.…!?;:"”»)\-–]+$/gu, "");
const endOf = (text: string) => text.trim().slice(text.trim().indexOf(bare(text)) + bare(text).length);
