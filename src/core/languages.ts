// The languages of Whisper: codes, names, and which one a word means. Ref: openai/whisper tokenizer.py `LANGUAGES`
import { editDistance, slipDistance } from "./edit-distance.ts";

/** Code as the models use it -> English name. A model may know fewer. */
export const LANGUAGES: Readonly<Record<string, string>> = {
  en: "English",
  zh: "Chinese",
  de: "German",
  es: "Spanish",
  ru: "Russian",
  ko: "Korean",
  fr: "French",
  ja: "Japanese",
  pt: "Portuguese",
  tr: "Turkish",
  pl: "Polish",
  ca: "Catalan",
  nl: "Dutch",
  ar: "Arabic",
  sv: "Swedish",
  it: "Italian",
  id: "Indonesian",
  hi: "Hindi",
  fi: "Finnish",
  vi: "Vietnamese",
  he: "Hebrew",
  uk: "Ukrainian",
  el: "Greek",
  ms: "Malay",
  cs: "Czech",
  ro: "Romanian",
  da: "Danish",
  hu: "Hungarian",
  ta: "Tamil",
  no: "Norwegian",
  th: "Thai",
  ur: "Urdu",
  hr: "Croatian",
  bg: "Bulgarian",
  lt: "Lithuanian",
  la: "Latin",
  mi: "Maori",
  ml: "Malayalam",
  cy: "Welsh",
  sk: "Slovak",
  te: "Telugu",
  fa: "Persian",
  lv: "Latvian",
  bn: "Bengali",
  sr: "Serbian",
  az: "Azerbaijani",
  sl: "Slovenian",
  kn: "Kannada",
  et: "Estonian",
  mk: "Macedonian",
  br: "Breton",
  eu: "Basque",
  is: "Icelandic",
  hy: "Armenian",
  ne: "Nepali",
  mn: "Mongolian",
  bs: "Bosnian",
  kk: "Kazakh",
  sq: "Albanian",
  sw: "Swahili",
  gl: "Galician",
  mr: "Marathi",
  pa: "Punjabi",
  si: "Sinhala",
  km: "Khmer",
  sn: "Shona",
  yo: "Yoruba",
  so: "Somali",
  af: "Afrikaans",
  oc: "Occitan",
  ka: "Georgian",
  be: "Belarusian",
  tg: "Tajik",
  sd: "Sindhi",
  gu: "Gujarati",
  am: "Amharic",
  yi: "Yiddish",
  lo: "Lao",
  uz: "Uzbek",
  fo: "Faroese",
  ht: "Haitian Creole",
  ps: "Pashto",
  tk: "Turkmen",
  nn: "Nynorsk",
  mt: "Maltese",
  sa: "Sanskrit",
  lb: "Luxembourgish",
  my: "Myanmar",
  bo: "Tibetan",
  tl: "Tagalog",
  mg: "Malagasy",
  as: "Assamese",
  tt: "Tatar",
  haw: "Hawaiian",
  ln: "Lingala",
  ha: "Hausa",
  ba: "Bashkir",
  jw: "Javanese",
  su: "Sundanese",
  yue: "Cantonese",
};

const ALIASES: Readonly<Record<string, string>> = {
  burmese: "my",
  valencian: "ca",
  flemish: "nl",
  haitian: "ht",
  letzeburgesch: "lb",
  pushto: "ps",
  panjabi: "pa",
  moldavian: "ro",
  moldovan: "ro",
  sinhalese: "si",
  castilian: "es",
  mandarin: "zh",
};

const CODE_BY_NAME = new Map([
  ...Object.entries(LANGUAGES).map(([code, name]) => [name.toLowerCase(), code] as const),
  ...Object.entries(ALIASES),
]);

/** The code for a code, name or alias in any case: `DE`, `German` -> `de`. Undefined when there is none. */
export function languageCode(text: string): string | undefined {
  const wanted = text.trim().toLowerCase();
  return Object.hasOwn(LANGUAGES, wanted) ? wanted : CODE_BY_NAME.get(wanted);
}

/** The languages that an unknown word may have meant, best first, at most three: `Germn` -> [`German (de)`]. */
export function closeLanguages(text: string): string[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return [];
  const region = languageCode(wanted.split(/[-_]/)[0] ?? "");
  if (region !== undefined) return [labelOf(region)];

  const distances = new Map<string, number>();
  for (const [name, code] of [...CODE_BY_NAME, ...ownNames()]) {
    const distance = wanted.length > 2 && name.startsWith(wanted) ? 0 : editDistance(wanted, name);
    if (distance <= slipDistance(wanted)) {
      distances.set(code, Math.min(distance, distances.get(code) ?? distance));
    }
  }
  const closest = Math.min(...distances.values());
  return [...distances.entries()]
    .filter(([, distance]) => distance === closest)
    .slice(0, 3)
    .map(([code]) => labelOf(code));
}

function labelOf(code: string): string {
  return `${LANGUAGES[code]} (${code})`;
}

/** What each language calls itself: `deutsch`. */
function* ownNames(): Generator<[string, string]> {
  for (const code of Object.keys(LANGUAGES)) {
    const name = new Intl.DisplayNames([code], { type: "language", fallback: "none" }).of(code);
    if (name !== undefined) yield [name.toLowerCase(), code];
  }
}
