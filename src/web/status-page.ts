// A small page for the operator: what runs, what waits, how fast, and what failed last, without any contents.
import type { JobState } from "../core/job.ts";
import { clock, roughly } from "../core/messages.ts";
import type { Engine } from "../core/ports.ts";
import { escapeHtml } from "../core/render/html.ts";

export interface Status {
  readonly engine: Engine;
  readonly platforms: readonly string[];
  readonly counts: Readonly<Record<JobState, number>>;
  /** Since the start of this process. */
  readonly audioSeconds: number;
  readonly workSeconds: number;
  readonly upSeconds: number;
  readonly failures: readonly { readonly jobId: string; readonly code: string; readonly atMs: number }[];
}

export type StatusSource = () => Promise<Status>;

export function statusPage(status: Status): string {
  const { engine, counts, audioSeconds, workSeconds } = status;
  const speed = workSeconds === 0 ? "nothing yet" : `${(audioSeconds / workSeconds).toFixed(1)} times real time`;
  const rows: [string, string][] = [
    ["Model", `${engine.model} on ${engine.device}`],
    ["Platforms", status.platforms.join(", ")],
    ["Queue", `${counts.running} running, ${counts.queued} waiting`],
    ["Ended", `${counts.done} done, ${counts.failed} failed, ${counts.cancelled} cancelled`],
    ["Transcribed", `${clock(audioSeconds)} of audio, ${speed}`],
    ["Up for", roughly(status.upSeconds)],
  ];
  const failures = status.failures.map(
    ({ jobId, code, atMs }) =>
      `<tr><td>${escapeHtml(new Date(atMs).toISOString().slice(0, 19).replace("T", " "))}</td>` +
      `<td><code>${escapeHtml(jobId)}</code></td><td>${escapeHtml(code)}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<meta name="color-scheme" content="light dark">
<title>Earshot: status</title>
<link rel="stylesheet" href="/status.css">
</head>
<body>
<main>
<h1>Earshot</h1>
<dl>${rows.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`).join("")}</dl>
${engine.notes.map((note) => `<p class="note">${escapeHtml(note)}</p>`).join("")}
<h2>Last failures</h2>
${
  failures.length === 0
    ? "<p>None.</p>"
    : `<table><thead><tr><th>Time (UTC)</th><th>Job</th><th>Code</th></tr></thead><tbody>${failures.join("")}</tbody></table>
<p>What a job was about: <code>earshot jobs show ID</code></p>`
}
</main>
</body>
</html>
`;
}

export const STATUS_STYLE = `
:root { --ink: #1d2430; --soft: #5d6673; --paper: #fbfaf7; --line: #e3dfd6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --soft: #a3a9b1; --paper: #16191d; --line: #2c3138; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; }
main { max-width: 40rem; margin: 0 auto; padding: 2rem 1.25rem; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.05rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.5rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; }
.note { padding: .6rem .8rem; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; font-weight: normal; }
th { color: var(--soft); }
`;
