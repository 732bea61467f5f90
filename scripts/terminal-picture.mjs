// Draws what commands print in a terminal as an SVG, for the README.
// In a folder with a copy of models/demo/sample/standup.flac, docs/transcribe.svg was drawn by
//   node …/scripts/terminal-picture.mjs …/docs/transcribe.svg 'earshot transcribe standup.flac' \
//     'earshot transcribe standup.flac --initial_prompt "Glossary: Qavylow, Xamoetee."' 'head -3 standup.srt' 'ls'

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const COLUMNS = 92;
const CHARACTER = { width: 8.43, height: 20 };
const PADDING = { x: 20, top: 52, bottom: 20 };

const [out, ...commands] = process.argv.slice(2);
if (!out || commands.length === 0) {
  console.error("Usage: node scripts/terminal-picture.mjs OUT.svg 'COMMAND'…");
  process.exit(2);
}

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const lines = commands.flatMap((command) => {
  const shell = command.replace(/^earshot\b/, `node ${main}`);
  const printed = execFileSync("sh", ["-c", shell], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trimEnd();
  const typed = { text: `$ ${command}`, typed: true };
  return [
    typed,
    ...printed
      .split("\n")
      .flatMap(wrap)
      .map((text) => ({ text, typed: false })),
    { text: "" },
  ];
});
lines.pop();

/** As a terminal of COLUMNS columns breaks a line. */
function wrap(line) {
  return line.match(new RegExp(`.{1,${COLUMNS}}`, "g")) ?? [""];
}

const escapeXml = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const width = Math.round(COLUMNS * CHARACTER.width + 2 * PADDING.x);
const height = PADDING.top + lines.length * CHARACTER.height + PADDING.bottom;
const rows = lines.map(({ text, typed }, i) => {
  const y = PADDING.top + (i + 0.7) * CHARACTER.height;
  return `  <text x="${PADDING.x}" y="${y}" xml:space="preserve"${typed ? ' class="typed"' : ""}>${escapeXml(text)}</text>`;
});

writeFileSync(
  out,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img">
  <title>${escapeXml(commands.join("; "))}</title>
  <style>
    text { font: 14px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d7dce2; }
    .typed { fill: #7ee0b0; font-weight: 600; }
  </style>
  <rect width="${width}" height="${height}" rx="10" fill="#14181d"/>
  <circle cx="24" cy="24" r="6" fill="#f4685e"/><circle cx="44" cy="24" r="6" fill="#f5bd4f"/><circle cx="64" cy="24" r="6" fill="#61c554"/>
${rows.join("\n")}
</svg>
`,
);
