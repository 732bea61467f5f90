// What Whisper models write when nobody speaks, learnt from the subtitles that they were trained on.
// Ref: arXiv 2501.11378, "Investigation of Whisper ASR Hallucinations Induced by Non-Speech Audio"; openai/whisper discussion 679
//
// People do say some of these: they count only where the audio is silent.

const PHRASES: Readonly<Record<string, readonly string[]>> = {
  en: [
    "you",
    "thank you",
    "thank you very much",
    "thanks",
    "bye",
    "bye bye",
    "so",
    "okay",
    "oh",
    "the end",
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "please subscribe",
    "please subscribe to my channel",
    "please like and subscribe",
    "like and subscribe",
    "don't forget to like and subscribe",
    "see you next time",
    "see you in the next video",
    "i'll see you in the next video",
    "i'll see you next time",
    "we'll be right back",
    "subtitles by the amara org community",
    "transcription by castingwords",
    "music",
    "applause",
  ],
  de: [
    "vielen dank",
    "danke",
    "danke schön",
    "tschüss",
    "bis zum nächsten mal",
    "vielen dank fürs zuschauen",
    "danke fürs zuschauen",
    "untertitel der amara org community",
    "untertitel im auftrag des zdf für funk 2017",
    "untertitelung des zdf 2020",
    "untertitelung aufgrund der amara org community",
    "swr 2020",
    "das war's für heute",
  ],
  fr: [
    "merci",
    "merci d'avoir regardé cette vidéo",
    "merci d'avoir regardé",
    "sous titres réalisés par la communauté d'amara org",
    "sous titres réalisés para la communauté d'amara org",
    "sous titrage st 501",
    "sous titrage société radio canada",
    "abonnez vous",
    "au revoir",
  ],
  es: [
    "gracias",
    "gracias por ver el video",
    "gracias por ver",
    "subtítulos realizados por la comunidad de amara org",
    "subtítulos por la comunidad de amara org",
    "suscríbete",
    "suscríbete al canal",
    "hasta la próxima",
    "adiós",
  ],
  it: [
    "grazie",
    "grazie a tutti",
    "grazie per la visione",
    "sottotitoli creati dalla comunità amara org",
    "sottotitoli e revisione a cura di qtss",
    "iscrivetevi al canale",
  ],
  pt: [
    "obrigado",
    "obrigada",
    "obrigado por assistir",
    "legendas pela comunidade amara org",
    "inscreva se no canal",
    "tchau",
  ],
  nl: [
    "bedankt",
    "bedankt voor het kijken",
    "tot de volgende keer",
    "ondertitels ingediend door de amara org gemeenschap",
  ],
  pl: ["dziękuję", "dziękuję za uwagę", "dzięki za oglądanie", "napisy stworzone przez społeczność amara org"],
  ru: [
    "спасибо",
    "спасибо за просмотр",
    "продолжение следует",
    "субтитры сделал dimatorzok",
    "субтитры создавал dimatorzok",
    "субтитры подогнал симон",
    "редактор субтитров а семкин корректор а егорова",
  ],
  tr: ["teşekkürler", "izlediğiniz için teşekkürler", "izlediğiniz için teşekkür ederim", "altyazı m k"],
  ja: [
    "ご視聴ありがとうございました",
    "ありがとうございました",
    "おやすみなさい",
    "チャンネル登録お願いします",
    "はい",
  ],
  zh: [
    "谢谢",
    "谢谢观看",
    "谢谢大家",
    "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
    "字幕由amara org社区提供",
    "中文字幕志愿者 李宗盛",
  ],
  ko: ["감사합니다", "시청해주셔서 감사합니다", "구독과 좋아요 부탁드립니다", "한글자막 by 한효정"],
};

const KNOWN = new Map(Object.entries(PHRASES).map(([language, phrases]) => [language, new Set(phrases.map(plain))]));

/** Whether a whole text, or each sentence of it, is a phrase that models write in silence; English ones in any language. */
export function isPhantom(text: string, language: string): boolean {
  const known = (part: string) => (KNOWN.get(language)?.has(part) ?? false) || KNOWN.get("en")!.has(part);
  if (known(plain(text))) return true;
  const sentences = text
    .split(/[.!?。！？…\n]+/u)
    .map(plain)
    .filter((sentence) => sentence !== "");
  return sentences.length > 0 && sentences.every(known);
}

/** Letters, digits and apostrophes in lower case, one space between words. */
function plain(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[’`]/gu, "'")
    .replace(/[^\p{L}\p{M}\p{N}']+/gu, " ")
    .trim();
}
