"""Checkpoint -> Hugging Face's file layout: safetensors, JSON files and ONNX graphs.

    python export.py --work WORK --checkpoint WORK/run.pt --out models/demo [--weights FILE.safetensors]

The ONNX graphs have the inputs and outputs of Hugging Face optimum's export of Whisper, with the
cross-attention added as `cross_attentions.{layer}` (as in onnx-community's `_timestamped` models).
They are written node by node: the graph is small, and this way both branches of the merged decoder
share one copy of every weight. Weights are stored as float16 and cast once to float32, in which
everything is computed; safetensors and ONNX hold the very same numbers.
"""

import argparse
import json
import os
import shutil

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from model import ALIGNMENT_HEADS, CONFIG
from tokenizer import (EN, EOT, IDS, LANGUAGES, NO_SPEECH, NO_TIMESTAMPS, PREV, SOT, START_OF_LM,
                       TRANSCRIBE, TRANSLATE, VOCABULARY, Tokenizer)

OPSET = 17  # the first with LayerNormalization
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Graph:
    """Collects nodes. A child graph (an If branch) takes its weights and constants from `root`."""

    def __init__(self, weights: dict[str, np.ndarray], root: "Graph | None" = None, prefix: str = ""):
        self.weights = weights
        self.root = root or self
        self.prefix = prefix
        self.nodes: list = []
        self.stored: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *inputs: str, out: str | None = None, **attributes) -> str:
        out = out or f"{self.prefix}{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=out + "_node", **attributes))
        return out

    def constant(self, value, dtype=np.int64) -> str:
        array = np.asarray(value, dtype)
        name = "c_" + "_".join(map(str, [np.dtype(dtype).name, *array.shape, *array.flatten()]))
        self.root.stored.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def weight(self, name: str, transpose: bool = False) -> str:
        root, full = self.root, name + ("_t" if transpose else "")
        if full not in root.stored:
            array = self.weights[name].T if transpose else self.weights[name]
            root.stored[full] = numpy_helper.from_array(np.ascontiguousarray(array), full)
            root.op("Cast", full, out=full + "_f32", to=FLOAT)
        return full + "_f32"

    def linear(self, x: str, name: str, bias: bool = True) -> str:
        y = self.op("MatMul", x, self.weight(name + ".weight", transpose=True))
        return self.op("Add", y, self.weight(name + ".bias")) if bias else y

    def norm(self, x: str, name: str, out: str | None = None) -> str:
        return self.op("LayerNormalization", x, self.weight(name + ".weight"), self.weight(name + ".bias"),
                       out=out, axis=-1, epsilon=1e-5)

    def gelu(self, x: str) -> str:
        f = np.float32
        erf = self.op("Erf", self.op("Mul", x, self.constant(2**-0.5, f)))
        return self.op("Mul", self.op("Mul", x, self.constant(0.5, f)), self.op("Add", erf, self.constant(1.0, f)))

    def feed_forward(self, x: str, name: str) -> str:
        y = self.linear(self.norm(x, name + ".final_layer_norm"), name + ".fc1")
        return self.op("Add", x, self.linear(self.gelu(y), name + ".fc2"))

    def heads(self, x: str, heads: int, width: int, out: str | None = None) -> str:
        """[batch, time, heads * width] -> [batch, heads, time, width]"""
        split = self.op("Reshape", x, self.constant([0, 0, heads, width]))
        return self.op("Transpose", split, out=out, perm=[0, 2, 1, 3])

    def attend(self, q: str, k: str, v: str, name: str, size: int, width: int, mask: str | None = None,
               out: str | None = None) -> str:
        scaled = self.op("Mul", q, self.constant(width**-0.5, np.float32))
        scores = self.op("MatMul", scaled, self.op("Transpose", k, perm=[0, 1, 3, 2]))
        if mask:
            scores = self.op("Add", scores, mask)
        p = self.op("Softmax", scores, out=out, axis=-1)
        mixed = self.op("Transpose", self.op("MatMul", p, v), perm=[0, 2, 1, 3])
        return self.linear(self.op("Reshape", mixed, self.constant([0, 0, size])), name + ".out_proj")


def value(name: str, shape: list, kind: int = FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def finish(graph: Graph, name: str, inputs: list, outputs: list, path: str) -> None:
    made = helper.make_graph(graph.nodes, name, inputs, outputs, initializer=list(graph.stored.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8,
                              producer_name="earshot")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def encoder(weights: dict[str, np.ndarray], c: dict, path: str) -> None:
    g = Graph(weights)
    size, n = c["d_model"], c["encoder_attention_heads"]
    base = "model.encoder"
    x = "input_features"
    for conv, stride in (("conv1", 1), ("conv2", 2)):
        name = f"{base}.{conv}"
        x = g.gelu(g.op("Conv", x, g.weight(name + ".weight"), g.weight(name + ".bias"), kernel_shape=[3],
                        pads=[1, 1], strides=[stride]))
    x = g.op("Add", g.op("Transpose", x, perm=[0, 2, 1]), g.weight(base + ".embed_positions.weight"))
    for i in range(c["encoder_layers"]):
        layer = f"{base}.layers.{i}"
        y = g.norm(x, layer + ".self_attn_layer_norm")
        q, k, v = (g.heads(g.linear(y, f"{layer}.self_attn.{p}_proj", bias=p != "k"), n, size // n) for p in "qkv")
        x = g.op("Add", x, g.attend(q, k, v, layer + ".self_attn", size, size // n))
        x = g.feed_forward(x, layer)
    g.norm(x, base + ".layer_norm", out="last_hidden_state")
    finish(g, "encoder", [value("input_features", ["batch", c["num_mel_bins"], 2 * c["max_source_positions"]])],
           [value("last_hidden_state", ["batch", c["max_source_positions"], size])], path)


def decoder_branch(root: Graph, c: dict, cached: bool) -> tuple[list, list[str]]:
    """The nodes of one branch, and its outputs in the order of the merged graph."""
    prefix = "cached_" if cached else "first_"
    g = Graph(root.weights, root, prefix)
    size, n = c["d_model"], c["decoder_attention_heads"]
    width = size // n
    base = "model.decoder"
    axis0, axis1 = g.constant([0]), g.constant([1])
    one = lambda x, axis: g.op("Gather", g.op("Shape", x), g.constant(axis), axis=0)
    length = one("input_ids", 1)
    past = one("past_key_values.0.decoder.key", 2) if cached else g.constant(0)
    total = g.op("Add", past, length)
    rows = g.op("Range", past, total, g.constant(1))
    columns = g.op("Range", g.constant(0), total, g.constant(1))
    future = g.op("Greater", g.op("Unsqueeze", columns, axis0), g.op("Unsqueeze", rows, axis1))
    mask = g.op("Where", future, g.constant(-1e9, np.float32), g.constant(0.0, np.float32))
    x = g.op("Add", g.op("Gather", g.weight(base + ".embed_tokens.weight"), "input_ids", axis=0),
             g.op("Gather", g.weight(base + ".embed_positions.weight"), rows, axis=0))
    presents, crosses = [], []
    for i in range(c["decoder_layers"]):
        layer = f"{base}.layers.{i}"
        out = lambda kind: f"{prefix}present.{i}.{kind}"
        given = lambda kind: f"past_key_values.{i}.{kind}"
        y = g.norm(x, layer + ".self_attn_layer_norm")
        q = g.heads(g.linear(y, layer + ".self_attn.q_proj"), n, width)
        keep = {}
        for p, kind in (("k", "decoder.key"), ("v", "decoder.value")):
            new = g.linear(y, f"{layer}.self_attn.{p}_proj", bias=p == "v")
            if cached:
                keep[p] = g.op("Concat", given(kind), g.heads(new, n, width), out=out(kind), axis=2)
            else:
                keep[p] = g.heads(new, n, width, out=out(kind))
        x = g.op("Add", x, g.attend(q, keep["k"], keep["v"], layer + ".self_attn", size, width, mask))
        y = g.norm(x, layer + ".encoder_attn_layer_norm")
        q = g.heads(g.linear(y, layer + ".encoder_attn.q_proj"), n, width)
        for p, kind in (("k", "encoder.key"), ("v", "encoder.value")):
            if cached:
                keep[p] = g.op("Identity", given(kind), out=out(kind))
            else:
                new = g.linear("encoder_hidden_states", f"{layer}.encoder_attn.{p}_proj", bias=p == "v")
                keep[p] = g.heads(new, n, width, out=out(kind))
        crosses.append(f"{prefix}cross_attentions.{i}")
        x = g.op("Add", x, g.attend(q, keep["k"], keep["v"], layer + ".encoder_attn", size, width, out=crosses[-1]))
        x = g.feed_forward(x, layer)
        presents += [out(k) for k in ("decoder.key", "decoder.value", "encoder.key", "encoder.value")]
    logits = g.op("MatMul", g.norm(x, base + ".layer_norm"), "embed_tokens_transposed", out=prefix + "logits")
    return g.nodes, [logits, *presents, *crosses]


def decoder(weights: dict[str, np.ndarray], c: dict, path: str) -> None:
    root = Graph(weights)
    size, n = c["d_model"], c["decoder_attention_heads"]
    root.op("Transpose", root.weight("model.decoder.embed_tokens.weight"), out="embed_tokens_transposed", perm=[1, 0])
    branches = {}
    for cached in (True, False):
        nodes, names = decoder_branch(root, c, cached)
        plain = [x.removeprefix("cached_").removeprefix("first_") for x in names]
        branches[cached] = (nodes, names)

    def shape(name: str) -> list:
        if name == "logits":
            return ["batch", "sequence", c["vocab_size"]]
        if name.startswith("cross"):
            return ["batch", n, "sequence", "audio"]
        return ["batch", n, "audio" if ".encoder." in name else "total", size // n]

    graphs = {cached: helper.make_graph(nodes, "with_past" if cached else "without_past", [],
                                        [value(x, shape(p)) for x, p in zip(names, plain)])
              for cached, (nodes, names) in branches.items()}
    root.nodes.append(helper.make_node("If", ["use_cache_branch"], plain, name="merged",
                                       then_branch=graphs[True], else_branch=graphs[False]))
    inputs = [value("input_ids", ["batch", "sequence"], INT64),
              value("encoder_hidden_states", ["batch", "audio_given", size])]
    for i in range(c["decoder_layers"]):
        for kind in ("decoder.key", "decoder.value", "encoder.key", "encoder.value"):
            length = "audio_past" if kind.startswith("encoder") else "past"
            inputs.append(value(f"past_key_values.{i}.{kind}", ["batch_past", n, length, size // n]))
    inputs.append(value("use_cache_branch", [1], BOOL))
    finish(root, "decoder_merged", inputs, [value(p, shape(p)) for p in plain], path)


def non_speech_tokens(tokenizer: Tokenizer) -> list[int]:
    """Tokens that are only punctuation which speech never needs; ":" and "$" are needed."""
    found = set()
    for s in '"#()*+/;<=>@[\\]^_`{|}~':
        for text in (s, " " + s):
            ids = tokenizer.encode(text)
            if len(ids) == 1:
                found.add(ids[0])
    for s in (" -", " '"):
        ids = tokenizer.encode(s)
        if len(ids) == 1:
            found.add(ids[0])
    return sorted(found | {SOT, TRANSLATE, TRANSCRIBE, START_OF_LM, PREV, NO_SPEECH})


def json_files(tokenizer: Tokenizer, c: dict) -> dict[str, dict]:
    blank = tokenizer.encode(" ") + [EOT]
    common = dict(bos_token_id=EOT, eos_token_id=EOT, pad_token_id=EOT, decoder_start_token_id=SOT, max_length=448)
    config = dict(
        common, architectures=["WhisperForConditionalGeneration"], model_type="whisper",
        activation_function="gelu", activation_dropout=0.0, attention_dropout=0.0, dropout=0.0,
        encoder_layerdrop=0.0, decoder_layerdrop=0.0, init_std=0.02, is_encoder_decoder=True,
        scale_embedding=False, use_cache=True, tie_word_embeddings=True, torch_dtype="float16",
        num_hidden_layers=c["encoder_layers"], suppress_tokens=[], begin_suppress_tokens=blank, **c)
    generation = dict(
        common, is_multilingual=True, lang_to_id={f"<|{l}|>": IDS[f"<|{l}|>"] for l in LANGUAGES},
        task_to_id=dict(transcribe=TRANSCRIBE, translate=TRANSLATE), no_timestamps_token_id=NO_TIMESTAMPS,
        prev_sot_token_id=PREV, max_initial_timestamp_index=50, return_timestamps=False,
        suppress_tokens=non_speech_tokens(tokenizer), begin_suppress_tokens=blank,
        forced_decoder_ids=[[1, None], [2, TRANSCRIBE]], alignment_heads=[list(h) for h in ALIGNMENT_HEADS])
    preprocessor = dict(
        feature_extractor_type="WhisperFeatureExtractor", processor_class="WhisperProcessor", feature_size=80,
        sampling_rate=16000, hop_length=160, n_fft=400, chunk_length=30, n_samples=480000, nb_max_frames=3000,
        padding_side="right", padding_value=0.0, return_attention_mask=False)
    return {"config.json": config, "generation_config.json": generation, "preprocessor_config.json": preprocessor}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--weights", help="where to put the safetensors; WORK/model.safetensors if not given")
    args = parser.parse_args()
    state = torch.load(args.checkpoint, map_location="cpu")
    weights = {k.removeprefix("whisper."): v.half().numpy() for k, v in state["average"].items()
               if k.startswith("whisper.")}
    assert state["config"] == CONFIG and CONFIG["vocab_size"] == VOCABULARY
    os.makedirs(f"{args.out}/onnx", exist_ok=True)
    save_file({k: np.ascontiguousarray(v) for k, v in weights.items()}, args.weights or f"{args.work}/model.safetensors",
              metadata={"format": "pt"})
    encoder(weights, CONFIG, f"{args.out}/onnx/encoder_model.onnx")
    decoder(weights, CONFIG, f"{args.out}/onnx/decoder_model_merged.onnx")
    tokenizer_path = f"{args.work}/tokenizer.json"
    for name, content in json_files(Tokenizer(tokenizer_path), CONFIG).items():
        with open(f"{args.out}/{name}", "w") as f:
            json.dump(content, f, indent=2)
            f.write("\n")
    shutil.copyfile(tokenizer_path, f"{args.out}/tokenizer.json")
    print("step", state["step"], {n: os.path.getsize(f"{args.out}/onnx/{n}") for n in os.listdir(f"{args.out}/onnx")})


if __name__ == "__main__":
    main()
