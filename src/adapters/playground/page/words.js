// The panel with a channel's words and settings. Every change is a command, as it could be typed.
import { button, element, ownWords } from "./element.js";

const byId = (id) => document.getElementById(id);

const YES_NO = { off: "No", on: "Yes" };
const onOff = (value) => (value ? "on" : "off");
const CODES = { "": "auto", en: "english", de: "german", fr: "french", es: "spanish" };
const FOREVER_DAYS = 36_500;

/** Name in the command -> [label, choices (none: it is typed), how the current value reads]. */
const SETTINGS = [
  ["auto", "Transcribe", { voice: "Voice messages", all: "All recordings", off: "When asked" }, ({ auto }) => auto],
  [
    "language",
    "Language",
    { auto: "Detect it", english: "English", german: "German", french: "French", spanish: "Spanish" },
    ({ languages }) => CODES[languages.join()] ?? languages.join(" "),
  ],
  ["translate", "Into English", YES_NO, ({ translate }) => onOff(translate)],
  [
    "reply",
    "Answers",
    { thread: "In the thread", channel: "In the channel", only_me: "For me alone", direct: "As a direct message" },
    ({ reply }) => reply,
  ],
  ["timestamps", "Times in the text", YES_NO, ({ timestamps }) => onOff(timestamps)],
  ["verbatim", "“Um” and “uh”", { off: "Leave out", on: "Keep" }, ({ verbatim }) => onOff(verbatim)],
  ["mixed", "Mixed tongues", YES_NO, ({ mixed }) => onOff(mixed)],
  ["tracks", "A speaker a track", { auto: "Find out", on: "Always", off: "Never" }, ({ tracks }) => tracks],
  ["chapters", "Chapters", YES_NO, ({ chapters }) => onOff(chapters)],
  ["formats", "Files", undefined, ({ formats }) => formats.join(" ") || "none"],
  ["model", "Model", undefined, ({ model }) => model],
  [
    "retention",
    "Keep transcripts",
    { forever: "For good", 7: "A week", 30: "30 days", 90: "90 days" },
    ({ retentionDays }) =>
      retentionDays === null || retentionDays >= FOREVER_DAYS ? "forever" : String(retentionDays),
  ],
  [
    "editors",
    "May change this",
    { everyone: "Everyone", admins: "Admins" },
    ({ editors }) => (typeof editors === "string" ? editors : editors.join(" ")),
  ],
];

/** `channel()`: the open one; `load(channel)` gives its view; `command(text)` runs a command and gives the reply. */
export function wordsPanel({ channel, load, command }) {
  const tell = (text) => byId("outcome").replaceChildren(...ownWords(text));
  const panel = byId("words");
  const opener = byId("open-words");
  const shade = byId("shade");
  const isOverTheRoom = matchMedia("(max-width: 68rem)");
  let shown;
  let savedPrompt = "";
  let glossaryShown = "";

  function toggle(isOpen) {
    panel.hidden = !isOpen;
    shade.hidden = !isOpen;
    opener.setAttribute("aria-expanded", String(isOpen));
    keepBehind();
    if (isOpen) byId("term").focus();
    else opener.focus();
  }

  /** What the panel covers cannot be reached by keyboard either. */
  function keepBehind() {
    for (const behind of [byId("room"), byId("side")]) behind.inert = isOverTheRoom.matches && !panel.hidden;
  }
  isOverTheRoom.addEventListener("change", keepBehind);

  async function refresh() {
    const asked = channel();
    const { glossary, promptTokens, settings } = await load(asked);
    // Another channel was opened meanwhile.
    if (asked !== channel()) return;
    if (asked !== shown) tell("");
    const { terms, pairs, prompt } = glossary;
    byId("terms").replaceChildren(
      ...terms.map(({ text, soundsLike, level }) =>
        chip(text, soundsLike.length > 0 ? `= ${soundsLike.join(" = ")}` : "", level, () =>
          change(`/jargon remove ${quoted(text)}${everywhere(level)}`),
        ),
      ),
      ...pairs.map(({ wrong, right, level }) =>
        chip(`${wrong} → ${right}`, "", level, () =>
          change(`/jargon pairs remove ${quoted(wrong)}${everywhere(level)}`),
        ),
      ),
    );
    // What is being written stays, also when a word is added meanwhile.
    if (asked !== shown || byId("prompt").value === savedPrompt) byId("prompt").value = prompt;
    savedPrompt = prompt;
    shown = asked;
    glossaryShown = JSON.stringify(glossary);
    byId("budget").max = promptTokens.budget;
    byId("budget").value = promptTokens.used;
    byId("budget-text").textContent = `${promptTokens.used} of ${promptTokens.budget} tokens`;
    const focused = document.activeElement?.id ?? "";
    byId("settings").replaceChildren(...SETTINGS.map((setting) => drawSetting(setting, settings)));
    if (focused.startsWith("setting-")) byId(focused)?.focus();
  }

  function chip(text, sound, level, remove) {
    return element(
      "li",
      {},
      element(
        "span",
        {},
        text,
        sound === "" ? "" : element("small", {}, sound),
        level === "workspace" ? element("small", {}, "everywhere") : "",
      ),
      button("×", remove, { "aria-label": `Remove ${text}` }),
    );
  }

  function drawSetting([name, label, choices, current], settings) {
    const value = current(settings);
    const properties = {
      id: `setting-${name}`,
      change: (event) => change(`/earshot settings ${name} ${event.target.value.trim() || "default"}`),
    };
    const field =
      choices === undefined
        ? element("input", { ...properties, value })
        : element(
            "select",
            properties,
            ...Object.entries({ ...(Object.hasOwn(choices, value) ? {} : { [value]: value }), ...choices }).map(
              ([choice, text]) => element("option", { value: choice, selected: choice === value }, text),
            ),
          );
    return element("div", { class: "setting" }, element("label", { for: `setting-${name}` }, label), field);
  }

  async function change(text) {
    try {
      const { reply } = await command(text);
      tell(reply?.text ?? "");
      await refresh();
    } catch (error) {
      tell(error.message);
    }
  }

  opener.addEventListener("click", async () => {
    toggle(panel.hidden);
    if (!panel.hidden) await refresh().catch((error) => tell(error.message));
  });
  byId("close-words").addEventListener("click", () => toggle(false));
  shade.addEventListener("click", () => toggle(false));
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") toggle(false);
  });
  byId("add-term").addEventListener("submit", async (event) => {
    event.preventDefault();
    const term = byId("term");
    const before = glossaryShown;
    await change(`/jargon add ${term.value}`);
    // What was refused stays to be corrected.
    if (glossaryShown !== before) term.value = "";
    term.focus();
  });
  byId("set-prompt").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("prompt").value.trim();
    change(`/jargon prompt ${text === "" ? "clear" : quoted(text)}`);
  });
  byId("try").addEventListener("click", () => change("/jargon try"));

  return {
    refresh: () => (panel.hidden ? undefined : refresh()),
  };
}

/** As the grammar of commands takes any text whole. */
function quoted(text) {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

function everywhere(level) {
  return level === "workspace" ? " --workspace" : "";
}
