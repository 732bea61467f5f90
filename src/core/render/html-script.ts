// What the html transcript does: search with marks, and a player that follows the text and jumps to a word.

export const HTML_SCRIPT = String.raw`"use strict";
(() => {
  const query = document.getElementById("query");
  const found = document.getElementById("found");
  const steps = [document.getElementById("previous"), document.getElementById("next")];
  const paragraphs = [...document.querySelectorAll("main p")];
  const canMark = "highlights" in CSS;
  let ranges = [];
  let here = -1;

  // Each letter folded by itself keeps its place, also where lower case is longer.
  const fold = (text) => Array.from(text, (letter) => {
    const lower = letter.toLowerCase();
    return lower.length === letter.length ? lower : letter;
  }).join("");

  function search() {
    const wanted = fold(query.value.trim().replace(/\s+/g, " "));
    ranges = [];
    here = -1;
    for (const paragraph of paragraphs) {
      const hits = wanted === "" ? [] : rangesIn(paragraph, wanted);
      ranges.push(...hits);
      (paragraph.closest("section") ?? paragraph).classList.toggle("misses", wanted !== "" && hits.length === 0);
    }
    show(ranges.length > 0 ? 0 : -1, wanted !== "");
  }

  function rangesIn(paragraph, wanted) {
    const walker = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
    const nodes = [];
    let text = "";
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      nodes.push({ node, start: text.length });
      text += node.data;
    }
    const place = (position) => {
      let at = nodes[0];
      for (const entry of nodes) if (entry.start <= position) at = entry;
      return [at.node, position - at.start];
    };
    const folded = fold(text).replace(/\s/g, " ");
    const result = [];
    for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + wanted.length)) {
      const range = document.createRange();
      range.setStart(...place(at));
      const [node, offset] = place(at + wanted.length - 1);
      range.setEnd(node, offset + 1);
      result.push(range);
    }
    return result;
  }

  function show(index, searched) {
    here = index;
    found.textContent = !searched ? "" : ranges.length === 0 ? "none" : (here + 1) + " / " + ranges.length;
    for (const step of steps) step.disabled = ranges.length === 0;
    if (canMark) {
      CSS.highlights.set("found", new Highlight(...ranges));
      CSS.highlights.set("here", new Highlight(...(here >= 0 ? [ranges[here]] : [])));
    }
    if (here >= 0) ranges[here].startContainer.parentElement.scrollIntoView({ block: "center" });
  }

  function step(by) {
    if (ranges.length > 0) show((here + by + ranges.length) % ranges.length, true);
  }

  query.addEventListener("input", search);
  query.form.addEventListener("submit", (event) => event.preventDefault());
  query.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      step(event.shiftKey ? -1 : 1);
    }
    if (event.key === "Escape") {
      query.value = "";
      search();
      query.blur();
    }
  });
  steps[0].addEventListener("click", () => step(-1));
  steps[1].addEventListener("click", () => step(1));

  const media = document.getElementById("media");
  const isTyping = (target) => /^(INPUT|BUTTON|A|AUDIO|VIDEO)$/.test(target.tagName);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key === "/") {
      event.preventDefault();
      query.focus();
    }
    if (!media) return;
    if (event.key === " ") {
      event.preventDefault();
      if (media.paused) media.play(); else media.pause();
    }
    if (event.key === "ArrowLeft") media.currentTime -= 5;
    if (event.key === "ArrowRight") media.currentTime += 5;
  });
  if (!media) return;

  const timed = [...document.querySelectorAll("p [data-start]")];
  let now;
  document.querySelector("main").addEventListener("click", (event) => {
    const target = event.target.closest("[data-start]");
    if (!target || !getSelection().isCollapsed) return;
    media.currentTime = Number(target.dataset.start);
    media.play();
  });
  media.addEventListener("timeupdate", () => {
    const time = media.currentTime;
    const next = timed.find((part) => time >= Number(part.dataset.start) && time < Number(part.dataset.end));
    if (next === now) return;
    if (now) now.classList.remove("now");
    if (next) next.classList.add("now");
    now = next;
  });
})();
`;
