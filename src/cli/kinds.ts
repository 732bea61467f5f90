// The kinds of values that options take, spelled as Python spells them: True, False, None.
import type { Kind } from "./arguments.ts";

export function text(metavar: string, expects: string): Kind<string> {
  return { metavar, expects, parse: (value) => ({ value }) };
}

export const boolean: Kind<boolean> = {
  metavar: "True|False",
  expects: "True or False",
  parse: (value) => (/^(true|false)$/i.test(value) ? { value: value.toLowerCase() === "true" } : undefined),
  bare: { value: true },
};

/** Present or not, without a value. */
export const flag: Kind<boolean> = { ...boolean, metavar: "" };

interface Range {
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Excludes `atLeast` itself. */
  readonly above?: number;
}

export function integer(range: Range = {}): Kind<number> {
  return numeric("N", "a whole number", /^[+-]?\d+$/, range);
}

export function number(range: Range = {}): Kind<number> {
  return numeric("X", "a number", /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, range);
}

function numeric(metavar: string, noun: string, pattern: RegExp, range: Range): Kind<number> {
  const {
    atLeast = Number.NEGATIVE_INFINITY,
    above = Number.NEGATIVE_INFINITY,
    atMost = Number.POSITIVE_INFINITY,
  } = range;
  const limits = [
    ...(range.atLeast === undefined ? [] : [`of at least ${atLeast}`]),
    ...(range.above === undefined ? [] : [`above ${above}`]),
    ...(range.atMost === undefined ? [] : [`up to ${atMost}`]),
  ];
  return {
    metavar,
    expects: [noun, ...limits].join(" "),
    parse(value) {
      const parsed = Number(value);
      const isValid = pattern.test(value.trim()) && parsed >= atLeast && parsed > above && parsed <= atMost;
      return isValid ? { value: parsed } : undefined;
    },
  };
}

export function choice<const T extends string>(values: readonly T[]): Kind<T> {
  return {
    metavar: values.join("|"),
    expects: `one of ${values.join(", ")}`,
    parse(value) {
      const match = values.find((candidate) => candidate === value.toLowerCase());
      return match === undefined ? undefined : { value: match };
    },
  };
}

/** Comma-separated values, such as `txt,srt`. */
export function list<T>(kind: Kind<T>, metavar: string, expects: string): Kind<readonly T[]> {
  return {
    metavar,
    expects,
    parse(value) {
      const parts = value.trim() === "" ? [] : value.split(",").map((part) => kind.parse(part.trim()));
      const valid = parts.filter((part) => part !== undefined);
      return valid.length === parts.length ? { value: valid.map((part) => part.value) } : undefined;
    },
    ...(kind.hint
      ? { hint: (value) => kind.hint?.(value.split(",").find((part) => !kind.parse(part.trim())) ?? "") ?? "" }
      : {}),
  };
}

/** Also takes `None`, for "not set". */
export function orNone<T>(kind: Kind<T>): Kind<T | undefined> {
  return {
    ...kind,
    expects: `${kind.expects}, or None`,
    parse: (value) => (value === "None" ? { value: undefined } : kind.parse(value)),
  };
}
