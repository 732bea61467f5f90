// Help text from an option table, at 80 columns.
import type { Option, OptionTable } from "./arguments.ts";

const WIDTH = 80;
const HELP_COLUMN = 26;
const NO_BREAK_SPACE = "\u00a0";

export function formatOptions(table: OptionTable): string {
  const groups = new Map<string, string[]>();
  for (const [name, option] of Object.entries(table)) {
    const lines = groups.get(option.group) ?? [];
    groups.set(option.group, [...lines, formatOption(name, option)]);
  }
  return [...groups].map(([group, options]) => `${group}:\n${options.join("\n")}\n`).join("\n");
}

function formatOption(name: string, option: Option): string {
  const { metavar } = option.kind;
  const short = option.short === undefined ? "" : `-${option.short}, `;
  // A long list of choices reads better as part of the help.
  const isListed = metavar.length > 12 && metavar.includes("|");
  const left = `  ${short}--${name} ${isListed ? "NAME" : metavar}`.trimEnd();
  const fallback = option.fallbackText ?? pythonText(option.fallback);
  const sentences = [
    option.help,
    ...(isListed ? [` [${metavar.split("|").join(", ")}]`] : []),
    ...(fallback === "" || metavar === "" ? [] : [` (default:${NO_BREAK_SPACE}${fallback})`]),
  ];
  const right = wrap(sentences.join(""), WIDTH - HELP_COLUMN);
  const margin = " ".repeat(HELP_COLUMN);
  const firstLine = left.length <= HELP_COLUMN - 2 ? left.padEnd(HELP_COLUMN) + right.shift() : left;
  return [firstLine, ...right.map((line) => margin + line)].join("\n");
}

function pythonText(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "boolean") return value ? "True" : "False";
  return String(value);
}

/** Breaks a text at its spaces, but not at no-break spaces, into lines of at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => line.replaceAll(NO_BREAK_SPACE, " "));
}
