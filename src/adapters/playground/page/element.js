// Making elements: text is always text, never markup.

/** element("p", { class: "note" }, "text", child, …); a function as a property listens to the event of that name. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

export function button(label, click, properties = {}) {
  return element("button", { type: "button", click, ...properties }, label);
}

/** Earshot's own words: `backticks` mark what can be typed. */
export function ownWords(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? element("code", {}, part) : part));
}

export function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
