// The style and the script of the transcript page. Their hashes are what its content security policy allows.

export const PAGE_STYLE = `
:root { --ink: #1d2430; --soft: #5d6673; --paper: #fbfaf7; --line: #e3dfd6; --mark: #ffe08a; --now: #eaf1ee; --accent: #0b6e5f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e1; --soft: #a3a9b1; --paper: #16191d; --line: #2c3138; --mark: #6b5410; --now: #1e2b28; --accent: #6fcdb9; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.65 Charter, "Iowan Old Style", Georgia, serif; }
header { position: sticky; top: 0; background: var(--paper); border-bottom: 1px solid var(--line); padding: 1.25rem max(1.25rem, calc(50% - 21rem)) .85rem; }
h1 { margin: 0; font-size: 1.35rem; line-height: 1.3; overflow-wrap: anywhere; }
header p { margin: .15rem 0 .8rem; color: var(--soft); font: .875rem/1.5 system-ui, sans-serif; }
.bar { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: center; font: .875rem system-ui, sans-serif; }
audio { flex: 1 1 16rem; height: 2.25rem; }
input { font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: .4rem; padding: .35rem .6rem; }
main { padding: 1.25rem max(1.25rem, calc(50% - 21rem)) 5rem; }
main p { display: flex; gap: 1rem; margin: 0; padding: .2rem .5rem; border-radius: .4rem; }
main p.now { background: var(--now); }
main p[hidden] { display: none; }
.time { flex: none; width: 4.2em; padding: 0; border: 0; background: none; color: var(--soft); text-align: left; font: .8125rem/1.75rem ui-monospace, monospace; }
button.time { color: var(--accent); cursor: pointer; }
[data-start] > .text [data-start] { cursor: pointer; }
mark { background: var(--mark); color: inherit; border-radius: .15rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 32rem) { main p { flex-direction: column; gap: 0; } }
@media print { header { position: static; } .bar { display: none; } }
`;

export const PAGE_SCRIPT = `
const player = document.getElementById("player");
const search = document.getElementById("search");
const hits = document.getElementById("hits");
const lines = [...document.querySelectorAll("main p[data-start]")];
const originals = new Map(lines.map((line) => [line, line.querySelector(".text").cloneNode(true)]));

if (player) {
  document.addEventListener("click", (event) => {
    const spot = event.target.closest("[data-start]");
    if (!spot || String(getSelection())) return;
    player.currentTime = Number(spot.dataset.start);
    player.play();
  });
  player.addEventListener("timeupdate", () => {
    for (const line of lines) {
      line.classList.toggle("now", player.currentTime >= line.dataset.start && player.currentTime < line.dataset.end);
    }
  });
}

function marked(text, words) {
  const part = document.createDocumentFragment();
  const lower = text.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(words); at >= 0; at = lower.indexOf(words, from)) {
    part.append(text.slice(from, at), Object.assign(document.createElement("mark"), { textContent: text.slice(at, at + words.length) }));
    from = at + words.length;
  }
  part.append(text.slice(from));
  return part;
}

search.addEventListener("input", () => {
  const words = search.value.trim().toLowerCase();
  let found = 0;
  for (const line of lines) {
    const text = originals.get(line).textContent;
    const matches = words === "" || text.toLowerCase().includes(words);
    line.hidden = !matches;
    if (matches && words !== "") found++;
    const place = line.querySelector(".text");
    if (words === "") place.replaceWith(originals.get(line).cloneNode(true));
    else if (matches) place.replaceChildren(marked(text, words));
  }
  hits.textContent = words === "" ? "" : found === 1 ? "1 place" : found + " places";
});
`;
