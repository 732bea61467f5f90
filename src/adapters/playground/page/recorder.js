// Records a voice message with the microphone.
import { clock } from "./element.js";

/** `send(file, seconds)` gets what was recorded; the discarding button and Escape throw it away. */
export function recordWith({ control, discard, time }, send, problem) {
  let recorder;
  let isAsking = false;

  async function begin() {
    if (isAsking) return undefined;
    isAsking = true;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      return problem("The microphone cannot be used. Allow it in the browser, or send a file.");
    } finally {
      isAsking = false;
    }
    problem("");
    const chunks = [];
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1000;
    recorder = new MediaRecorder(stream);
    recorder.addEventListener("dataavailable", ({ data }) => chunks.push(data));
    const ticking = setInterval(() => {
      time.textContent = clock(seconds());
    }, 200);
    recorder.addEventListener("stop", () => {
      clearInterval(ticking);
      for (const track of stream.getTracks()) track.stop();
      const { mimeType, wasCancelled } = recorder;
      recorder = undefined;
      time.textContent = "";
      discard.hidden = true;
      control.classList.remove("on");
      control.setAttribute("aria-label", "Record a voice message");
      if (wasCancelled) return;
      const type = mimeType.split(";")[0];
      send(new File(chunks, `voice-message.${type.endsWith("mp4") ? "m4a" : "webm"}`, { type }), seconds());
    });
    recorder.start();
    discard.hidden = false;
    control.classList.add("on");
    control.setAttribute("aria-label", "Stop and send the voice message");
  }

  function throwAway() {
    recorder.wasCancelled = true;
    recorder.stop();
    control.focus();
  }

  control.addEventListener("click", () => (recorder ? recorder.stop() : begin()));
  discard.addEventListener("click", throwAway);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && recorder) throwAway();
  });

  return {
    /** Stops and sends; false: nothing was being recorded. */
    finish() {
      recorder?.stop();
      return recorder !== undefined;
    },
  };
}
