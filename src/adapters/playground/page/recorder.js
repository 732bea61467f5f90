// Records a voice message with the microphone.
import { clock } from "./element.js";

/** `send(file, seconds)` gets what was recorded; Escape throws it away. */
export function recordWith(control, time, send, problem) {
  let recorder;

  async function begin() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      return problem("The microphone cannot be used. Allow it in the browser, or send a file.");
    }
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
      control.classList.remove("on");
      control.setAttribute("aria-label", "Record a voice message");
      if (wasCancelled) return;
      const type = mimeType.split(";")[0];
      send(new File(chunks, `voice-message.${type.endsWith("mp4") ? "m4a" : "webm"}`, { type }), seconds());
    });
    recorder.start();
    control.classList.add("on");
    control.setAttribute("aria-label", "Stop and send the voice message");
  }

  control.addEventListener("click", () => (recorder ? recorder.stop() : begin()));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !recorder) return;
    recorder.wasCancelled = true;
    recorder.stop();
  });
}
