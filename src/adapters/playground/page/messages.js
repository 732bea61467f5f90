// One message of the chat as it is drawn.
import { button, clock, element, ownWords } from "./element.js";

/** `act`: { press, transcribe, forward, forwardsTo, remove }, what a message's buttons do. */
export function drawMessage(message, act) {
  const { id, author, body, thread, createdAtMs } = message;
  const time = new Date(createdAtMs);
  return element(
    "article",
    { class: thread ? "message answer" : "message", id: `message-${id}`, tabindex: "-1" },
    element(
      "span",
      { class: author === "you" ? "face" : "face ours", "aria-hidden": "true" },
      author === "you" ? "You" : "",
    ),
    element(
      "div",
      {},
      element(
        "div",
        { class: "by" },
        element("b", {}, author === "you" ? "You" : "Earshot"),
        element(
          "time",
          { datetime: time.toISOString() },
          time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
        ),
        body?.kind === "recording" && body.isForwarded
          ? element("span", { class: "forwarded" }, "forwarded")
          : undefined,
        tools(message, act),
      ),
      drawBody(message, act),
    ),
  );
}

/**
 * Draws what has become of a message. A status that only goes on keeps its elements, so that its button can be pressed
 * while it ticks, and nothing is read out at every tick.
 */
export function redrawMessage(drawn, before, message, act) {
  const [was, is] = [before.body?.reply, message.body?.reply];
  const sameButtons = JSON.stringify(was?.actions) === JSON.stringify(is?.actions);
  if (was?.kind === "status" && is?.kind === "status" && sameButtons) {
    drawn.querySelector(".status p").textContent = is.text;
    const bar = drawn.querySelector("progress");
    bar.hidden = is.progress === undefined;
    bar.value = is.progress ?? 0;
    return;
  }
  const hadFocus = drawn.contains(document.activeElement);
  const redrawn = drawMessage(message, act);
  drawn.replaceWith(redrawn);
  if (hadFocus) redrawn.focus({ preventScroll: true });
}

/** Only for what one has sent oneself. */
function tools({ id, channel, author, body }, act) {
  if (body === null || author !== "you") return undefined;
  const isRecording = body.kind === "recording";
  return element(
    "span",
    { class: "tools" },
    isRecording ? button("Transcribe", () => act.transcribe(id)) : undefined,
    isRecording ? forwardMenu(id, channel, act) : undefined,
    button("Delete", () => act.remove(id), { "aria-label": "Delete this message" }),
  );
}

function forwardMenu(id, channel, act) {
  const menu = element(
    "details",
    {
      class: "menu",
      focusout: ({ relatedTarget }) => {
        if (!menu.contains(relatedTarget)) menu.open = false;
      },
      keydown: (event) => {
        if (event.key !== "Escape" || !menu.open) return;
        event.stopPropagation();
        menu.open = false;
        menu.firstChild.focus();
      },
    },
    element("summary", {}, "Forward"),
    element(
      "div",
      {},
      ...act.forwardsTo(channel).map(([name, label]) => button(`To ${label}`, () => act.forward(id, name))),
    ),
  );
  return menu;
}

function drawBody({ id, channel, body }, act) {
  if (body === null) return element("p", { class: "gone" }, "This message was deleted.");
  switch (body.kind) {
    case "text":
      return element("p", { class: "words" }, body.text);
    case "recording":
      return drawRecording(id, body, channel === "direct" || body.isVoice ? undefined : act.transcribe);
    default:
      return drawReply(id, body.reply, act);
  }
}

/** `ask`: for what is not written down by itself; the button stands there until there is an answer. */
function drawRecording(id, { media, name, mimeType, bytes, isVoice, durationSeconds }, ask) {
  const size = bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  const about = durationSeconds === undefined ? size : `${clock(durationSeconds)}, ${size}`;
  const player = mimeType.startsWith("video/") ? "video" : "audio";
  return element(
    "div",
    { class: "file" },
    element(
      "span",
      { class: "name" },
      isVoice ? "Voice message " : "",
      element(isVoice ? "small" : "span", {}, name),
      " ",
      element("small", {}, about),
    ),
    element(player, { controls: true, preload: "none", src: `/media/${media}`, "aria-label": `Play ${name}` }),
    ask === undefined ? undefined : button("Transcribe this recording", () => ask(id), { class: "ask" }),
  );
}

function drawReply(id, reply, act) {
  switch (reply.kind) {
    case "status":
      return element(
        "div",
        { class: "status", "aria-live": "off" },
        element("p", {}, reply.text),
        element("progress", {
          value: String(reply.progress ?? 0),
          max: "1",
          "aria-label": "Progress",
          hidden: reply.progress === undefined,
        }),
        drawActions(id, reply.actions, act),
      );
    case "answer":
      return element(
        "div",
        { class: "card" },
        element("p", { class: "head" }, reply.head),
        reply.text === "" ? undefined : element("p", { class: "transcript" }, reply.text),
        reply.isCut
          ? element("p", { class: "cut" }, "This is the beginning. The whole text is in the files.")
          : undefined,
        ...reply.notes.map((note) =>
          element("p", { class: note.startsWith("Changed:") ? "note changed" : "note" }, note),
        ),
        drawActions(id, reply.actions, act),
      );
    case "failure":
      return element(
        "div",
        { class: "card failure" },
        element("p", {}, reply.text),
        drawActions(id, reply.actions, act),
      );
    case "file":
      return element("p", { class: "files" }, fileLink(id, reply.file));
    default:
      return element(
        "div",
        {},
        element("p", { class: "words" }, ...ownWords(reply.text)),
        reply.files === undefined
          ? undefined
          : element("p", { class: "files" }, ...reply.files.map((file) => fileLink(id, file))),
      );
  }
}

function fileLink(message, { name }) {
  const href = `/api/messages/${message}/files/${encodeURIComponent(name)}`;
  return element("a", { href, download: name }, `Download ${name}`);
}

function drawActions(message, actions, act) {
  if (actions.length === 0) return undefined;
  return element(
    "div",
    { class: "actions" },
    ...actions.map(({ name, label, jobId }) => button(label, () => act.press(message, name, jobId))),
  );
}

export function download({ name, mimeType, content }) {
  const link = element("a", { href: URL.createObjectURL(new Blob([content], { type: mimeType })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
