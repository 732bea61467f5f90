// The list of commands that opens over the message box when one types a slash.
import { element } from "./element.js";

const COMMANDS = [
  ["/transcribe latest", "the newest recording here"],
  ["/transcribe latest german", "in a language"],
  ["/transcribe latest translate", "into English"],
  ["/jargon add ", "a word as it is to be spelled"],
  ["/jargon list", "this channel's words"],
  ["/jargon pairs add ", "wrong = right"],
  ["/jargon try", "the newest recording again"],
  ["/earshot settings", "what holds in this channel"],
  ["/earshot search ", "in this channel's transcripts"],
  ["/earshot stats", "hours, waits, and what a cloud would cost"],
  ["/earshot forget all", "of this channel, for good"],
  ["/earshot help", "all of it"],
];

export function completeCommands(input, list) {
  let chosen = 0;

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function take(text) {
    input.value = text;
    input.focus();
    close();
    input.dispatchEvent(new Event("input"));
  }

  function show() {
    const typed = input.value.toLowerCase();
    const matches = typed.startsWith("/") ? COMMANDS.filter(([text]) => text.startsWith(typed) && text !== typed) : [];
    if (matches.length === 0) return close();
    chosen = Math.min(chosen, matches.length - 1);
    list.replaceChildren(
      ...matches.map(([text, about], index) =>
        element(
          "div",
          {
            role: "option",
            id: `completion-${index}`,
            "aria-selected": String(index === chosen),
            click: () => take(text),
          },
          text,
          element("span", {}, about),
        ),
      ),
    );
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    input.setAttribute("aria-activedescendant", `completion-${chosen}`);
    list.children[chosen].scrollIntoView({ block: "nearest" });
  }

  input.addEventListener("input", () => {
    chosen = 0;
    show();
  });
  input.addEventListener("blur", () => setTimeout(close, 150));

  /** True when the key was meant for the list. */
  return (event) => {
    if (list.hidden) return false;
    const count = list.children.length;
    if (event.key === "ArrowDown") chosen = (chosen + 1) % count;
    else if (event.key === "ArrowUp") chosen = (chosen + count - 1) % count;
    else if (event.key === "Escape") close();
    else if (event.key === "Tab" || (event.key === "Enter" && input.value.trim().split(/\s+/).length < 2)) {
      take(list.children[chosen].firstChild.textContent);
    } else return false;
    event.preventDefault();
    if (event.key.startsWith("Arrow")) show();
    return true;
  };
}
