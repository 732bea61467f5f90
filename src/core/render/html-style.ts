// How the html transcript looks: calm, one column, light and dark, on phones and on paper.

export const HTML_STYLE = `
:root { color-scheme: light dark; --paper: #fbfaf8; --ink: #23211e; --soft: #6d6860; --line: #e3dfd8; --mark: #ffe08a;
  --here: #d9761e; --hover: #f0ece5; --accent: #1f6f5c; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #191a1b; --ink: #e6e3dd; --soft: #9c978e; --line: #34353a; --mark: #6b5312; --here: #c06514;
    --hover: #26282a; --accent: #7cc7b2; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.65 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; }
.about { margin: .35rem 0 1.5rem; color: var(--soft); font-size: .9375rem; font-variant-numeric: tabular-nums; }
.bar { position: sticky; top: 0; z-index: 1; display: grid; grid-template-columns: minmax(0, 1fr); gap: .6rem; margin: 0 -1.25rem 1.25rem;
  padding: .6rem 1.25rem; background: var(--paper); border-bottom: 1px solid var(--line); }
audio { display: block; width: 100%; height: 2.75rem; }
video { display: block; width: 100%; max-height: 50vh; margin: 0 0 .75rem; border-radius: .5rem; background: #000; }
.search { display: flex; align-items: center; gap: .5rem; }
.search input { flex: 1; min-width: 0; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: .5rem;
  background: transparent; color: inherit; font: inherit; font-size: 1rem; }
.search output { min-width: 3.5rem; text-align: end; color: var(--soft); font-size: .875rem;
  font-variant-numeric: tabular-nums; }
.search button { width: 2.5rem; height: 2.5rem; border: 1px solid var(--line); border-radius: .5rem; background: transparent;
  color: inherit; font: inherit; cursor: pointer; }
.search button:disabled { opacity: .35; cursor: default; }
.search button:not(:disabled):hover { background: var(--hover); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
section { display: grid; grid-template-columns: 4.25rem 1fr; align-items: baseline; margin: 0 0 1.1rem;
  scroll-margin-top: 8.5rem; }
section p { margin: 0; min-width: 0; }
.time { justify-self: start; padding: 0 .3rem; margin-left: -.3rem; border: 0; border-radius: .3rem; background: none;
  color: var(--soft); font: inherit; font-size: .8125rem; font-variant-numeric: tabular-nums; text-decoration: none;
  cursor: pointer; }
.time:hover { background: var(--hover); color: var(--accent); }
section:target .time { color: var(--accent); font-weight: 600; }
[data-start] { border-radius: .2rem; }
p [data-start] { cursor: pointer; }
p [data-start]:hover { background: var(--hover); }
.now { color: var(--accent); text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: .2em; }
h2 { margin: 2rem 0 .9rem; font-size: 1.125rem; line-height: 1.3; font-weight: 650; scroll-margin-top: 8.5rem; }
.chapters { margin: 0 0 1.5rem; color: var(--soft); font-size: .9375rem; }
.chapters ol { margin: 0; padding-inline-start: 1.5rem; }
.chapters a { color: var(--accent); }
.speaker { font-weight: 650; }
.misses { opacity: .45; }
::highlight(found) { background-color: var(--mark); }
::highlight(here) { background-color: var(--here); color: #fff; }
.silence, footer { color: var(--soft); }
footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .875rem; }
footer p { margin: 0 0 .35rem; }
@media (max-width: 34rem) {
  body { padding-top: 1.5rem; }
  section { grid-template-columns: 1fr; gap: .1rem; }
}
@media print { .bar, video { display: none; } body { max-width: none; background: #fff; color: #000; } }
`;
