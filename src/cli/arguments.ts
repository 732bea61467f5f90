// Reads a command line as Python's argparse does, from a table that also makes the help text.
import { editDistance, slipDistance } from "../core/edit-distance.ts";

/** What values an option takes. */
export interface Kind<T> {
  /** Stands for the value in the help: `NAME`. */
  readonly metavar: string;
  /** Completes "--name must be …". */
  readonly expects: string;
  /** Undefined: not a value of this kind. */
  parse(text: string): { readonly value: T } | undefined;
  /** A sentence about a text that is not a value of this kind, such as what it may have meant. */
  hint?(text: string): string;
  /** The value of the option alone, without a text. */
  readonly bare?: { readonly value: T };
}

export interface Option<T = unknown> {
  readonly group: string;
  readonly short?: string;
  readonly kind: Kind<T>;
  readonly fallback: T;
  readonly help: string;
  /** Said in the help instead of the fallback. */
  readonly fallbackText?: string;
}

/** Options by their name, in the order of the help. */
export type OptionTable = Readonly<Record<string, Option>>;

export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

export interface ParsedArguments<Table extends OptionTable> {
  readonly values: ValuesOf<Table>;
  /** Names of the options that the command line has. */
  readonly given: ReadonlySet<keyof Table>;
  readonly positionals: readonly string[];
  readonly helpWanted: boolean;
  /** A sentence for each thing that cannot be understood. */
  readonly problems: readonly string[];
}

/** Ref: Python's argparse: `--name value`, `--name=value`, `-nvalue`, unambiguous beginnings, `--` before file names. */
export function parseArguments<Table extends OptionTable>(
  argv: readonly string[],
  table: Table,
): ParsedArguments<Table> {
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(table)) values[name] = option.fallback;
  const given = new Set<string>();
  const positionals: string[] = [];
  const problems: string[] = [];
  let helpWanted = false;

  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? "";
    if (argument === "--") {
      positionals.push(...argv.slice(index + 1));
      break;
    }
    if (!looksLikeOption(argument)) {
      positionals.push(argument);
      continue;
    }
    if (argument === "-h" || argument === "--help") {
      helpWanted = true;
      continue;
    }
    const found = findOption(argument, table);
    if ("problem" in found) {
      problems.push(found.problem);
      continue;
    }
    const { name, option } = found;
    given.add(name);
    let { text } = found;
    const next = argv[index + 1];
    if (text === undefined && next !== undefined && takesNext(option, next)) {
      text = next;
      index++;
    }
    const parsed = text === undefined ? option.kind.bare : option.kind.parse(text);
    if (parsed !== undefined) values[name] = parsed.value;
    else if (text === undefined) problems.push(`--${name} needs a value: ${option.kind.expects}.`);
    else {
      const hint = option.kind.hint?.(text) ?? "";
      problems.push(`--${name} must be ${option.kind.expects}, not "${text}".${hint && ` ${hint}`}`);
    }
  }
  return { values: values as ValuesOf<Table>, given, positionals, helpWanted, problems };
}

/** Negative numbers, `-` and texts with spaces are values. */
function looksLikeOption(argument: string): boolean {
  return /^-[^\d.\s]\S*$/.test(argument) || /^--[^\s=]+=/s.test(argument);
}

/** An option that may stand alone takes the next argument only when it is one of its values, not a file name. */
function takesNext(option: Option, next: string): boolean {
  return option.kind.bare === undefined ? !looksLikeOption(next) : option.kind.parse(next) !== undefined;
}

interface FoundOption {
  readonly name: string;
  readonly option: Option;
  /** What the argument itself gives as the value. */
  readonly text: string | undefined;
}

function findOption(argument: string, table: OptionTable): FoundOption | { readonly problem: string } {
  const entries = Object.entries(table);
  if (!argument.startsWith("--")) {
    const entry = entries.find(([, option]) => option.short !== undefined && argument[1] === option.short);
    if (entry === undefined) return { problem: `There is no option ${argument}.` };
    const rest = argument.slice(2).replace(/^=/, "");
    return { name: entry[0], option: entry[1], text: argument.length > 2 ? rest : undefined };
  }
  const equals = argument.indexOf("=");
  const typed = equals < 0 ? argument : argument.slice(0, equals);
  const text = equals < 0 ? undefined : argument.slice(equals + 1);
  const wanted = sameSpelling(typed.slice(2));
  const matches = entries.filter(([name]) => sameSpelling(name).startsWith(wanted));
  // A name that all the others begin with is meant, so that --lang stays openai's --language beside our --languages.
  const shortest = matches.find(([name]) => matches.every(([other]) => other.startsWith(name)));
  if (shortest !== undefined) return { name: shortest[0], option: shortest[1], text };
  if (matches.length === 0) {
    const near = entries.find(([name]) => editDistance(wanted, sameSpelling(name)) <= slipDistance(wanted));
    return { problem: `There is no option ${typed}.${near ? ` Did you mean --${near[0]}?` : ""}` };
  }
  return { problem: `${typed} may be ${matches.map(([name]) => `--${name}`).join(" or ")}: write more of it.` };
}

function sameSpelling(name: string): string {
  return name.replaceAll("-", "_").toLowerCase();
}
