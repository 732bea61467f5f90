// The playground's page: channels, messages as they change, and the message box.
import { ask, follow } from "./api.js";
import { completeCommands } from "./completions.js";
import { button, element } from "./element.js";
import { download, drawMessage, redrawMessage } from "./messages.js";
import { recordWith } from "./recorder.js";
import { wordsPanel } from "./words.js";

const byId = (id) => document.getElementById(id);
const TOPICS = {
  general: "Voice messages are written down by themselves.",
  standup: "Give this channel its own words, and see what changes.",
  sales: "Recordings of calls: send one, or say /transcribe latest.",
  direct: "Whatever you send here is written down.",
};
const SAMPLE_NAMES = { "standup.flac": "a stand-up", "voice-note.ogg": "a voice note", "meeting.flac": "a meeting" };

const state = await ask("GET", "/api/state");
const messages = new Map(state.messages.map((message) => [message.id, message]));
const unread = new Set();
let channel = state.channels.includes(location.hash.slice(1)) ? location.hash.slice(1) : "standup";

const labelOf = (name) => (name === "direct" ? "Earshot" : `# ${name}`);

/** On a phone there is no room for the sign. */
const tabText = (name) =>
  name === "direct" ? labelOf(name) : element("span", {}, element("span", { class: "sign" }, "# "), name);

function problem(text) {
  byId("problem").textContent = text;
}

/** A word for the moment. */
function notice(text) {
  byId("notice").textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => byId("notice").replaceChildren(), 6000);
}

/** Runs something that may fail, and says so where one can see it. */
async function attempt(work) {
  problem("");
  try {
    return await work();
  } catch (error) {
    problem(error.message);
    return undefined;
  }
}

const act = {
  press: (message, action, jobId) =>
    attempt(async () => {
      const { file } = await ask("POST", "/api/press", { action, jobId, message });
      if (file) download(file);
    }),
  transcribe: (id) =>
    attempt(async () => {
      const { reply } = await ask("POST", `/api/messages/${id}/transcribe`);
      notice(reply.text ?? "");
    }),
  forwardsTo: (from) => state.channels.filter((name) => name !== from).map((name) => [name, labelOf(name)]),
  forward: (id, to) =>
    attempt(async () => {
      await ask("POST", `/api/messages/${id}/forward`, { to });
      open(to);
    }),
  remove: (id) => attempt(() => ask("DELETE", `/api/messages/${id}`)),
};

const say = (text) => ask("POST", `/api/channels/${channel}/messages`, { text });

function drawChannels() {
  const hadFocus = byId("channels").contains(document.activeElement);
  byId("channels").replaceChildren(
    ...state.channels.map((name) =>
      button(tabText(name), () => open(name), {
        role: "tab",
        class: unread.has(name) ? "unread" : "",
        "aria-selected": String(name === channel),
        "aria-controls": "room",
        tabindex: name === channel ? "0" : "-1",
        ...(unread.has(name) ? { "aria-label": `${labelOf(name)}, something new` } : {}),
      }),
    ),
  );
  if (hadFocus) byId("channels").querySelector('[aria-selected="true"]').focus();
}

/** The order in which they were said; an answer stands under what it answers. */
function ofChannel() {
  const mine = [...messages.values()].filter((message) => message.channel === channel);
  const time = ({ thread, createdAtMs }) => messages.get(thread)?.createdAtMs ?? createdAtMs;
  return mine.sort((a, b) => time(a) - time(b) || a.createdAtMs - b.createdAtMs);
}

function drawMessages() {
  const log = byId("messages");
  const shown = ofChannel();
  if (shown.length === 0) log.replaceChildren(emptyChannel());
  else log.replaceChildren(...shown.map((message) => drawMessage(message, act)));
  log.scrollTop = log.scrollHeight;
}

function emptyChannel() {
  return element(
    "div",
    { class: "empty" },
    element("h2", {}, "Say something"),
    element("p", {}, "Record a voice message, drop a file, or take a sample. The text comes back here."),
    element(
      "div",
      { class: "actions" },
      ...state.samples.map((name) => button(`Send ${SAMPLE_NAMES[name] ?? name}`, () => sendSample(name))),
    ),
  );
}

function open(name) {
  channel = name;
  unread.delete(name);
  history.replaceState(undefined, "", `#${name}`);
  byId("title").textContent = labelOf(name);
  byId("topic").textContent = TOPICS[name] ?? "";
  drawChannels();
  drawMessages();
  attempt(() => words.refresh());
}

function changed(message) {
  const before = messages.get(message.id);
  messages.set(message.id, message);
  if (message.channel !== channel) {
    if (!before) unread.add(message.channel);
    return drawChannels();
  }
  const log = byId("messages");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  const drawn = before ? byId(`message-${message.id}`) : undefined;
  if (drawn) redrawMessage(drawn, before, message, act);
  else place(message);
  // An answer stands under its recording, which may be further up.
  if (message.body?.reply?.kind === "answer") byId(`message-${message.id}`).scrollIntoView({ block: "nearest" });
  else if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function place(message) {
  const log = byId("messages");
  log.querySelector(".empty")?.remove();
  const order = ofChannel();
  const next = order[order.findIndex(({ id }) => id === message.id) + 1];
  log.insertBefore(drawMessage(message, act), next === undefined ? null : byId(`message-${next.id}`));
}

function sendFile(file, isVoice, seconds) {
  return attempt(() => {
    const form = new FormData();
    form.append("file", file, file.name);
    const length = seconds === undefined ? "" : `&seconds=${seconds.toFixed(2)}`;
    return ask("POST", `/api/channels/${channel}/recordings?voice=${isVoice}${length}`, form);
  });
}

const sendSample = (name) => attempt(() => ask("POST", `/api/channels/${channel}/samples`, { name }));

const words = wordsPanel({
  channel: () => channel,
  load: (name) => ask("GET", `/api/channels/${name}`),
  command: (text) => ask("POST", `/api/channels/${channel}/commands`, { text }),
});

byId("samples").replaceChildren(
  "Try:",
  ...state.samples.map((name) => button(SAMPLE_NAMES[name] ?? name, () => sendSample(name))),
);

byId("channels").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const { channels } = state;
  open(channels[(channels.indexOf(channel) + step + channels.length) % channels.length]);
});

const input = byId("say");
const forCompletion = completeCommands(input, byId("completions"));
const grow = () => {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
};
input.addEventListener("input", grow);
input.addEventListener("keydown", (event) => {
  if (forCompletion(event)) return;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId("composer").requestSubmit();
  }
});
byId("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (recorder.finish()) return;
  const text = input.value.trim();
  if (text === "") return;
  input.value = "";
  grow();
  await attempt(async () => {
    await say(text);
    await words.refresh();
  });
});
byId("attach").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) sendFile(file, false);
  event.target.value = "";
});
const recorder = recordWith(
  { control: byId("record"), discard: byId("discard"), time: byId("recording-time") },
  (file, seconds) => sendFile(file, true, seconds),
  problem,
);

const room = byId("room");
room.addEventListener("dragover", (event) => {
  event.preventDefault();
  room.classList.add("dropping");
});
room.addEventListener("dragleave", (event) => {
  if (!room.contains(event.relatedTarget)) room.classList.remove("dropping");
});
room.addEventListener("drop", (event) => {
  event.preventDefault();
  room.classList.remove("dropping");
  for (const file of event.dataTransfer.files) sendFile(file, false);
});

open(channel);
follow(state.revision, changed, (isConnected) =>
  problem(isConnected ? "" : "Earshot does not answer. Waiting for it to come back …"),
);
