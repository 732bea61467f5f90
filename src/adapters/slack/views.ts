// The parts of which dialogs are made, and what people put into them.
import type { types } from "@slack/bolt";

export function plain(text: string): types.PlainTextElement {
  return { type: "plain_text", text, emoji: false };
}

export function option(value: string, text: string): types.PlainTextOption {
  return { value, text: plain(text) };
}

/** Ref: Slack, "Views": texts of inputs have up to 3,000 characters. */
export const INPUT_CHARACTERS = 3000;

export function textInput(
  id: string,
  label: string,
  { value = "", hint, isLong = false }: { readonly value?: string; readonly hint?: string; readonly isLong?: boolean },
): types.InputBlock {
  return {
    type: "input",
    block_id: id,
    optional: true,
    label: plain(label),
    ...(hint === undefined ? {} : { hint: plain(hint) }),
    element: {
      type: "plain_text_input",
      action_id: id,
      multiline: isLong,
      max_length: INPUT_CHARACTERS,
      ...(value === "" ? {} : { initial_value: value }),
    },
  };
}

export function choice(
  id: string,
  label: string,
  options: readonly types.PlainTextOption[],
  value: string,
): types.InputBlock {
  const initial = options.find((each) => each.value === value);
  return {
    type: "input",
    block_id: id,
    label: plain(label),
    element: {
      type: "static_select",
      action_id: id,
      options: [...options],
      ...(initial === undefined ? {} : { initial_option: initial }),
    },
  };
}

export function checks(
  id: string,
  label: string,
  options: readonly types.PlainTextOption[],
  values: readonly string[],
): types.InputBlock {
  const initial = options.filter(({ value }) => value !== undefined && values.includes(value));
  return {
    type: "input",
    block_id: id,
    optional: true,
    label: plain(label),
    element: {
      type: "checkboxes",
      action_id: id,
      options: [...options],
      ...(initial.length === 0 ? {} : { initial_options: initial }),
    },
  };
}

interface StateValue {
  readonly value?: string | null;
  readonly selected_option?: { readonly value?: string } | null;
  readonly selected_options?: readonly { readonly value?: string }[];
}

/** What was put into a dialog, by the id of its input. */
export function stateOf(values: Readonly<Record<string, Readonly<Record<string, StateValue>>>>) {
  const at = (id: string): StateValue => values[id]?.[id] ?? {};
  return {
    text: (id: string) => at(id).value?.trim() ?? "",
    chosen: (id: string) => at(id).selected_option?.value ?? "",
    checked: (id: string) => (at(id).selected_options ?? []).flatMap(({ value }) => value ?? []),
  };
}
