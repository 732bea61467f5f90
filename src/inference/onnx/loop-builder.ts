// Builds an ONNX Loop: a body with values that each turn hands to the next, and values that every turn adds to a list.

import type { GraphBuilder } from "./graph-builder.ts";
import { DataType } from "./model-proto.ts";

export interface Value {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly (number | string)[];
}

/** Values keep their names: `x` goes into a turn as "before_x" and comes out of the loop as "final_x". */
export class LoopBuilder {
  readonly body: GraphBuilder;
  readonly #graph: GraphBuilder;
  /** The number of the turn, from 0: int64. */
  readonly turn: string;
  readonly #carried: { readonly value: Value; readonly first: string; after?: string }[] = [];
  readonly #listed: { readonly name: string; readonly value: Value }[] = [];

  constructor(graph: GraphBuilder, name: string) {
    this.#graph = graph;
    this.body = graph.body(name);
    this.turn = this.body.input(`${name}/turn`, DataType.int64, []);
    this.body.input(`${name}/going`, DataType.bool, []);
  }

  /**
   * @param first the value of the graph that the first turn gets
   * @returns the value in the body
   */
  carry(value: Value, first: string): string {
    this.#carried.push({ value, first });
    return this.body.input(`before_${value.name}`, value.type, value.shape);
  }

  /** Says which value of the body goes on as `name`. */
  handOn(name: string, after: string): void {
    const carried = this.#carried.find(({ value }) => value.name === name);
    if (!carried) throw new RangeError(`${name} is not carried`);
    carried.after = after;
  }

  /** Every turn's `value`, one after the other, comes out of the loop as `name`: [turns, …]. */
  list(name: string, value: Value): void {
    this.#listed.push({ name, value });
  }

  /**
   * Adds the loop to the graph.
   * @param turns the most there are: int64
   * @param goesOn a bool of the body: whether there is another turn
   */
  finish(turns: string, goesOn: string): void {
    this.body.output(goesOn, DataType.bool, []);
    for (const { value, after } of this.#carried) {
      if (after === undefined) throw new RangeError(`nothing is handed on as ${value.name}`);
      // One name for a size means one size: a turn may hand on another than it got.
      const shape = value.shape.map((size) => (typeof size === "string" ? `next_${size}` : size));
      this.body.output(after, value.type, shape);
    }
    for (const { value } of this.#listed) this.body.output(value.name, value.type, value.shape);
    this.#graph.node(
      "Loop",
      [turns, this.#graph.bool(true), ...this.#carried.map(({ first }) => first)],
      [...this.#carried.map(({ value }) => `final_${value.name}`), ...this.#listed.map(({ name }) => name)],
      { body: { graph: this.body.build() } },
    );
  }
}
