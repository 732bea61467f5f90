# openai/whisper's own model and tokenizer, given the weights and the vocabulary of a model folder in Hugging Face's layout.
import json
from pathlib import Path

import tiktoken
import torch
import whisper.model
import whisper.tokenizer
from safetensors.torch import load_file

# Ref: openai/whisper tokenizer.py get_encoding
PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""

NAMES = [
    ("model.", ""),
    ("encoder.embed_positions.weight", "encoder.positional_embedding"),
    ("decoder.embed_positions.weight", "decoder.positional_embedding"),
    ("embed_tokens", "token_embedding"),
    ("encoder.layer_norm", "encoder.ln_post"),
    ("decoder.layer_norm", "decoder.ln"),
    (".layers.", ".blocks."),
    ("self_attn_layer_norm", "attn_ln"),
    ("encoder_attn_layer_norm", "cross_attn_ln"),
    ("final_layer_norm", "mlp_ln"),
    ("self_attn", "attn"),
    ("encoder_attn", "cross_attn"),
    ("q_proj", "query"),
    ("k_proj", "key"),
    ("v_proj", "value"),
    ("out_proj", "out"),
    ("fc1", "mlp.0"),
    ("fc2", "mlp.2"),
]


def openai_name(name):
    for theirs, openais in NAMES:
        name = name.replace(theirs, openais)
    return name


def bytes_of_characters():
    """GPT-2's printable stand-ins for bytes, as tokenizer.json spells its tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


def load_encoding(folder: Path) -> tiktoken.Encoding:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    byte_of = bytes_of_characters()
    vocab = tokenizer["model"]["vocab"]
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    # tiktoken merges by rank of the result, tokenizer.json by its list of pairs: the same only in the same order.
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    ids = [vocab[merge.replace(" ", "")] for merge in merges]
    assert ids == sorted(ids), "the merges are not in the order of their ids"
    return tiktoken.Encoding(
        name=folder.name,
        pat_str=PATTERN,
        mergeable_ranks={
            bytes(byte_of[c] for c in token): id for token, id in vocab.items() if token not in special
        },
        special_tokens=special,
    )


def load_reference(folder: Path, weights: Path):
    """openai's Whisper in float32, and its get_tokenizer giving this model's vocabulary."""
    config = json.loads((folder / "config.json").read_text())
    generation = json.loads((folder / "generation_config.json").read_text())
    encoding = load_encoding(folder)
    whisper.tokenizer.get_encoding = lambda name, num_languages: encoding
    # openai's tell these by the size of the vocabulary, which is another one here.
    languages = len(generation["lang_to_id"])
    whisper.model.Whisper.is_multilingual = property(lambda self: generation["is_multilingual"])
    whisper.model.Whisper.num_languages = property(lambda self: languages)

    model = whisper.model.Whisper(
        whisper.model.ModelDimensions(
            n_mels=config["num_mel_bins"],
            n_audio_ctx=config["max_source_positions"],
            n_audio_state=config["d_model"],
            n_audio_head=config["encoder_attention_heads"],
            n_audio_layer=config["encoder_layers"],
            n_vocab=config["vocab_size"],
            n_text_ctx=config["max_target_positions"],
            n_text_state=config["d_model"],
            n_text_head=config["decoder_attention_heads"],
            n_text_layer=config["decoder_layers"],
        )
    )
    state = {openai_name(name): tensor.float() for name, tensor in load_file(weights).items()}
    state.pop("proj_out.weight", None)
    model.load_state_dict(state)
    heads = torch.zeros(config["decoder_layers"], config["decoder_attention_heads"], dtype=torch.bool)
    for layer, head in generation["alignment_heads"]:
        heads[layer, head] = True
    model.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)
    return model.eval()
