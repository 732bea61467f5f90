// The choice of the next token as a graph: masks, timestamp rules and log probabilities, at temperature 0.

import { type ModelDimensions, TOKEN_STATES } from "../graph.ts";
import { bytesOf, type GraphBuilder } from "./graph-builder.ts";
import type { LoopBuilder, Value } from "./loop-builder.ts";
import { DataType } from "./model-proto.ts";

const { float32, int64, bool } = DataType;

/** The next state by the state before and whether the token is a timestamp: [4, 2]. */
const TRANSITIONS = Object.values(TOKEN_STATES).flatMap((state) => [
  TOKEN_STATES.text,
  state === TOKEN_STATES.text ? TOKEN_STATES.opened : TOKEN_STATES.closed,
]);

/** Added in place of minus infinity where a difference of two of them would be no number. */
const LOWEST = -1e30;

/** What the graph takes besides tokens and caches. */
export const CHOICE_INPUTS: readonly Value[] = [
  // Added to the logits: 0 or minus infinity, one row for each state, and one column for each token or for all.
  { name: "masks", type: float32, shape: ["states", "masked"] },
  { name: "eot", type: int64, shape: [] },
  // The loop ends when no more rows than this go on; those that go on without their fellows are read again without them.
  { name: "few", type: int64, shape: [] },
  { name: "no_speech", type: int64, shape: [] },
  { name: "timestamp_begin", type: int64, shape: [1] },
  // Whether the timestamp rules hold.
  { name: "timestamps", type: bool, shape: [1] },
  { name: "state", type: int64, shape: ["rows"] },
  // The last timestamp sampled; before there is one, the token before the first.
  { name: "last_timestamp", type: int64, shape: ["rows", 1] },
];

/** What the graph gives besides logits and caches. */
export const CHOICE_OUTPUTS: readonly Value[] = [
  { name: "sampled_tokens", type: int64, shape: ["turns", "rows", 1] },
  { name: "sampled_logprobs", type: float32, shape: ["turns", "rows", 1] },
  { name: "final_state", type: int64, shape: ["rows"] },
  { name: "final_last_timestamp", type: int64, shape: ["rows", 1] },
  // Of the first turn's first wanted position.
  { name: "final_no_speech_prob", type: float32, shape: ["rows", 1] },
];

/**
 * Adds the choice to a turn of the decoder. A row whose last token was the end goes on with ends that cost nothing.
 * Ref: openai/whisper decoding.py `ApplyTimestampRules`, `GreedyDecoder`
 * @param graph around the loop, with the inputs of `CHOICE_INPUTS`
 * @param tokens what the turn reads: [rows, read]
 * @param logits [rows, wanted, nVocab]; the last wanted position is sampled
 * @returns the token [rows, 1], and whether more rows than `few` go on
 */
export function chooseToken(
  graph: GraphBuilder,
  loop: LoopBuilder,
  dims: Pick<ModelDimensions, "nVocab">,
  tokens: string,
  logits: string,
): { token: string; goesOn: string } {
  const { body } = loop;
  const rowOfInts = { type: int64, shape: ["rows", 1] };
  const state = loop.carry({ name: "state", type: int64, shape: ["rows"] }, "state");
  const lastTimestamp = loop.carry({ name: "last_timestamp", ...rowOfInts }, "last_timestamp");
  loop.handOn("no_speech_prob", noSpeech(graph, loop, logits));

  const begin = "timestamp_begin";
  const nVocab = graph.ints(dims.nVocab);
  const timestampIds = graph.op("Range", [graph.op("Squeeze", [begin]), graph.int(dims.nVocab), graph.int(1)]);

  const masked = body.op("Add", [
    body.op("Gather", [logits, body.int(-1)], { axis: 1 }),
    body.op("Gather", ["masks", state], { axis: 0 }),
  ]);
  const axis = body.ints(1);
  const text = body.op("Slice", [masked, body.ints(0), begin, axis]);

  // A segment has a length above zero, or decoding could stand still for ever.
  const isOpened = body.op("Equal", [state, body.int(TOKEN_STATES.opened)]);
  const shortest = body.op("Where", [isOpened, body.int(0), body.int(1)]);
  const earliest = body.op("Add", [lastTimestamp, body.op("Unsqueeze", [shortest, body.ints(1)])]);
  const timestamps = body.op("Where", [
    body.op("And", [body.op("Less", [timestampIds, earliest]), "timestamps"]),
    body.float(Number.NEGATIVE_INFINITY),
    body.op("Slice", [masked, begin, nVocab, axis]),
  ]);

  const [textLogit, textToken] = largest(body, text, "text");
  const [timestampLogit, timestampIndex] = largest(body, timestamps, "timestamp");
  const timestampToken = body.op("Add", [timestampIndex, begin]);
  const textTotal = logSumExp(body, text, textLogit);
  const timestampTotal = logSumExp(body, timestamps, timestampLogit);

  // Timestamps come whenever together they are likelier than any text token.
  const outweighed = body.op("And", [body.op("Greater", [timestampTotal, textLogit]), "timestamps"]);
  const either = body.op("Or", [outweighed, body.op("Greater", [timestampLogit, textLogit])]);
  const hasEnded = body.op("Equal", [body.op("Gather", [tokens, body.ints(-1)], { axis: 1 }), "eot"]);
  const likeliest = body.op("Where", [either, timestampToken, textToken]);
  const token = body.op("Where", [hasEnded, "eot", likeliest], {}, "token");
  const logit = body.op("Where", [either, timestampLogit, textLogit]);
  const both = body.op("Concat", [textTotal, timestampTotal], { axis: 1 });
  const bothTotal = body.op("ReduceLogSumExp", [both], { axes: [1], keepdims: 1 });
  const total = body.op("Where", [outweighed, timestampTotal, bothTotal]);
  const logprob = body.op("Where", [hasEnded, body.float(0), body.op("Sub", [logit, total])], {}, "logprob");
  loop.list("sampled_tokens", { name: body.op("Identity", [token]), ...rowOfInts });
  loop.list("sampled_logprobs", { name: logprob, type: float32, shape: ["rows", 1] });

  const isLate = body.op("GreaterOrEqual", [token, begin]);
  const isTimestamp = body.op("And", [isLate, "timestamps"]);
  const transition = body.op("Add", [
    body.op("Mul", [state, body.int(2)]),
    body.op("Squeeze", [body.op("Cast", [isTimestamp], { to: int64 }), body.ints(1)]),
  ]);
  loop.handOn("state", body.op("Gather", [body.ints(...TRANSITIONS), transition], {}, "after_state"));
  loop.handOn("last_timestamp", body.op("Where", [isTimestamp, token, lastTimestamp], {}, "after_last_timestamp"));

  const unlike = body.op("Cast", [body.op("Not", [body.op("Equal", [token, "eot"])])], { to: int64 });
  const goesOn = body.op("Greater", [body.op("ReduceSum", [unlike], { keepdims: 0 }), "few"], {}, "goes_on");
  return { token, goesOn };
}

/** The probability of no speech at the first wanted position, taken in the first turn. */
function noSpeech(graph: GraphBuilder, loop: LoopBuilder, logits: string): string {
  const { body } = loop;
  const value = { name: "no_speech_prob", type: float32, shape: ["rows", 1] };
  const before = loop.carry(
    value,
    graph.weight("no_speech_prob/none", float32, [1, 1], bytesOf(Float32Array.of(Number.NaN))),
  );
  const first = body.body("first_turn");
  const row = first.op("Gather", [logits, first.int(0)], { axis: 1 });
  const [top] = largest(first, row, "no_speech");
  const logit = first.op("Gather", [row, "no_speech"], { axis: 1 });
  const logitRow = first.op("Reshape", [logit, first.ints(-1, 1)]);
  const logprob = first.op("Sub", [logitRow, logSumExp(first, row, top)]);
  first.output(first.op("Exp", [logprob], {}, "no_speech_now"), float32, value.shape);
  const later = body.body("later_turn");
  later.output(later.op("Identity", [before], {}, "no_speech_then"), float32, value.shape);
  const isFirst = body.op("Equal", [loop.turn, body.int(0)]);
  const branches = { then_branch: { graph: first.build() }, else_branch: { graph: later.build() } };
  return body.op("If", [isFirst], branches, "after_no_speech_prob");
}

/** @returns the largest entry of each row and its index, the first of several: [rows, 1] each */
function largest(body: GraphBuilder, x: string, name: string): [value: string, index: string] {
  const outputs: [string, string] = [`largest_${name}`, `largest_${name}_index`];
  body.node("TopK", [x, body.ints(1)], outputs, { axis: -1 });
  return outputs;
}

/** @param top the largest of each row, [rows, 1]; minus infinity where every entry is masked, and so is the result */
function logSumExp(body: GraphBuilder, x: string, top: string): string {
  const pivot = body.op("Max", [top, body.float(LOWEST)]);
  const powers = body.op("Exp", [body.op("Sub", [x, pivot])]);
  const sum = body.op("ReduceSum", [powers, body.ints(1)], { keepdims: 1 });
  return body.op("Add", [body.op("Log", [sum]), pivot]);
}
