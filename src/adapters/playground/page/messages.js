// One message of the chat as it is drawn.
import { button, clock, element, ownWords } from "./element.js";

/** `act`: { press, forward, remove }, what a message's buttons do. */
export function drawMessage(message, act) {
  const { id, author, body, thread, createdAtMs } = message;
  const time = new Date(createdAtMs);
  return element(
    "article",
    { class: thread ? "message answer" : "message", id: `message-${id}`, "data-id": id },
    author === "you"
      ? element("span", { class: "face", "aria-hidden": "true" }, "You")
      : element("span", { class: "face" }, element("img", { src: "icon.svg", alt: "" })),
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

function tools({ id, body }, act) {
  if (body === null) return undefined;
  return element(
    "span",
    { class: "tools" },
    body.kind === "recording" ? button("Transcribe", () => act.transcribe(id)) : undefined,
    body.kind === "recording" ? button("Forward", () => act.forward(id)) : undefined,
    button("Delete", () => act.remove(id), { "aria-label": "Delete this message" }),
  );
}

function drawBody({ id, body }, act) {
  if (body === null) return element("p", { class: "gone" }, "This message was deleted.");
  switch (body.kind) {
    case "text":
      return element("p", { class: "words" }, body.text);
    case "recording":
      return drawRecording(body);
    default:
      return drawReply(id, body.reply, act);
  }
}

function drawRecording({ media, name, mimeType, bytes, isVoice, durationSeconds }) {
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
  );
}

function drawReply(id, reply, act) {
  switch (reply.kind) {
    case "status":
      return element(
        "div",
        { class: "status" },
        element("p", {}, reply.text),
        reply.progress === undefined
          ? undefined
          : element("progress", { value: String(reply.progress), max: "1", "aria-label": "Progress" }),
        drawActions(id, reply.actions, act),
      );
    case "answer":
      return element(
        "div",
        { class: "card" },
        element("p", { class: "head" }, reply.head),
        reply.text === "" ? undefined : element("p", { class: "transcript" }, reply.text),
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
      return element(
        "p",
        {},
        button(`Download ${reply.file.name}`, () => download(reply.file)),
      );
    default:
      return element(
        "div",
        {},
        element("p", { class: "words" }, ...ownWords(reply.text)),
        ...(reply.files ?? []).map((file) => button(`Download ${file.name}`, () => download(file))),
      );
  }
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
