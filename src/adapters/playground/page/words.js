// The panel with a channel's words and settings. Every change is a command, as it could be typed.
import { button, element } from "./element.js";

const byId = (id) => document.getElementById(id);

/** Name in the command -> [label, choices, how the current value reads]. */
const SETTINGS = [
  ["auto", "By itself", { voice: "Voice messages", all: "All recordings", off: "Only when asked" }, ({ auto }) => auto],
  [
    "language",
    "Language",
    { auto: "Detect it", english: "English", german: "German", french: "French", spanish: "Spanish" },
    ({ languages }) => NAMES[languages.join()] ?? languages.join(" "),
  ],
  [
    "reply",
    "Answers",
    { thread: "Under the recording", channel: "In the channel", direct: "As a direct message" },
    ({ reply }) => reply,
  ],
  ["timestamps", "Times in the text", { off: "No", on: "Yes" }, ({ timestamps }) => (timestamps ? "on" : "off")],
  ["verbatim", "“Um” and “uh”", { off: "Leave out", on: "Keep" }, ({ verbatim }) => (verbatim ? "on" : "off")],
];
const NAMES = { "": "auto", en: "english", de: "german", fr: "french", es: "spanish" };

/** `load()` gives the channel's view; `command(text)` runs a command and gives the reply. */
export function wordsPanel({ load, command }) {
  const tell = (text) => {
    byId("outcome").textContent = text;
  };
  const panel = byId("words");
  const opener = byId("open-words");
  const shade = byId("shade");

  function toggle(isOpen) {
    panel.hidden = !isOpen;
    shade.hidden = !isOpen;
    opener.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) byId("term").focus();
    else opener.focus();
  }

  async function refresh() {
    const view = await load();
    const { glossary, promptTokens, settings } = view;
    const { terms, pairs, prompt } = glossary;
    byId("terms").replaceChildren(
      ...terms.map(({ text, soundsLike, level }) =>
        chip(text, soundsLike.length > 0 ? `= ${soundsLike.join(" = ")}` : "", level, () =>
          change(`/jargon remove "${text}"${everywhere(level)}`),
        ),
      ),
      ...pairs.map(({ wrong, right, level }) =>
        chip(`${wrong} → ${right}`, "", level, () => change(`/jargon pairs remove ${wrong}${everywhere(level)}`)),
      ),
    );
    byId("prompt").value = prompt;
    byId("budget").max = promptTokens.budget;
    byId("budget").value = promptTokens.used;
    byId("budget-text").textContent = `${promptTokens.used} of ${promptTokens.budget} tokens`;
    byId("settings").replaceChildren(...SETTINGS.map((setting) => drawSetting(setting, settings)));
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
    const known = Object.hasOwn(choices, value) ? choices : { ...choices, [value]: value };
    const select = element(
      "select",
      { id: `setting-${name}`, change: (event) => change(`/earshot settings ${name} ${event.target.value}`) },
      ...Object.entries(known).map(([choice, text]) =>
        element("option", { value: choice, selected: choice === value }, text),
      ),
    );
    return element("div", { class: "setting" }, element("label", { for: `setting-${name}` }, label), select);
  }

  async function change(text) {
    try {
      const { reply } = await command(text);
      tell(reply.text?.replaceAll("`", "") ?? "");
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
    await change(`/jargon add ${term.value}`);
    term.value = "";
    term.focus();
  });
  byId("set-prompt").addEventListener("submit", (event) => {
    event.preventDefault();
    change(`/jargon prompt ${byId("prompt").value.trim() || "none"}`);
  });
  byId("try").addEventListener("click", () => change("/jargon try"));

  return {
    refresh: () => (panel.hidden ? undefined : refresh()),
  };
}

function everywhere(level) {
  return level === "workspace" ? " --workspace" : "";
}
