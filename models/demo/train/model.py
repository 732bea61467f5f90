"""Whisper's architecture; parameter names as in Hugging Face's WhisperForConditionalGeneration.

Ref: Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision (2022), 2.2.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tokenizer import VOCABULARY

CONFIG = dict(d_model=192, encoder_layers=4, decoder_layers=3, encoder_attention_heads=3,
              decoder_attention_heads=3, encoder_ffn_dim=768, decoder_ffn_dim=768,
              vocab_size=VOCABULARY, num_mel_bins=80, max_source_positions=1500,
              max_target_positions=448)

# (decoder layer, head) pairs that the guided attention loss keeps aligned with the audio
ALIGNMENT_HEADS = [(1, 0), (1, 1), (2, 0), (2, 1)]
# the (decoder layer, head) of self-attention that training teaches to look up a term in the prompt;
# in the last layer, because by then the audio of the coming token is known
COPY_HEAD = (2, 2)


def sinusoids(length: int, channels: int) -> Tensor:
    step = math.log(10000) / (channels // 2 - 1)
    angles = torch.arange(length)[:, None] * torch.exp(-step * torch.arange(channels // 2))
    return torch.cat([angles.sin(), angles.cos()], 1)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, memory: Tensor | None = None, causal: bool = False,
                weights: bool = False) -> tuple[Tensor, Tensor | None]:
        memory = x if memory is None else memory
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(memory)), self.split(self.v_proj(memory))
        p = None
        if weights:
            scores = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5
            if causal:
                scores = scores.masked_fill(torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1), -1e9)
            p = scores.softmax(-1)
            mixed = p @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), p


class EncoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.self_attn_layer_norm(x))[0]
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class DecoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.encoder_attn = Attention(width, heads)
        self.encoder_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, audio: Tensor, weights: bool, self_weights: bool):
        y, own = self.self_attn(self.self_attn_layer_norm(x), causal=True, weights=self_weights)
        x = x + y
        y, p = self.encoder_attn(self.encoder_attn_layer_norm(x), audio, weights=weights)
        x = x + y
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))), p, own


class Encoder(nn.Module):
    def __init__(self, c: dict):
        super().__init__()
        width = c["d_model"]
        self.conv1 = nn.Conv1d(c["num_mel_bins"], width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(c["max_source_positions"], width)
        self.embed_positions.weight.data.copy_(sinusoids(c["max_source_positions"], width))
        self.embed_positions.weight.requires_grad = False
        self.layers = nn.ModuleList(EncoderLayer(width, c["encoder_attention_heads"], c["encoder_ffn_dim"])
                                    for _ in range(c["encoder_layers"]))
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, mel: Tensor, offsets: Tensor | None = None) -> Tensor:
        """mel [batch, 80, frames]. `offsets` puts a clip at another place of the 30 s window
        than its start, so that short clips train all positions."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        positions = torch.arange(x.shape[1])[None]
        if offsets is not None:
            positions = positions + offsets[:, None]
        x = x + self.embed_positions.weight[positions]
        for layer in self.layers:
            x = layer(x)
        return self.layer_norm(x)


class Decoder(nn.Module):
    def __init__(self, c: dict):
        super().__init__()
        width = c["d_model"]
        self.embed_tokens = nn.Embedding(c["vocab_size"], width)
        self.embed_positions = nn.Embedding(c["max_target_positions"], width)
        self.layers = nn.ModuleList(DecoderLayer(width, c["decoder_attention_heads"], c["decoder_ffn_dim"])
                                    for _ in range(c["decoder_layers"]))
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor, audio: Tensor, weights_from: int | None = None,
                copying: bool = False) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """Hidden states (the logits are `hidden @ embed_tokens.T`), the cross-attention of the
        layers from `weights_from` on, and with `copying` what COPY_HEAD attends to."""
        x = self.embed_tokens(ids) + self.embed_positions.weight[: ids.shape[1]]
        seen, copy = [], None
        for i, layer in enumerate(self.layers):
            at_copy = copying and i == COPY_HEAD[0]
            x, p, own = layer(x, audio, weights_from is not None and i >= weights_from, at_copy)
            if p is not None:
                seen.append(p)
            if at_copy:
                copy = own[:, COPY_HEAD[1]]
        return self.layer_norm(x), seen, copy


class Inner(nn.Module):
    def __init__(self, c: dict):
        super().__init__()
        self.encoder = Encoder(c)
        self.decoder = Decoder(c)


class Whisper(nn.Module):
    def __init__(self, config: dict = CONFIG):
        super().__init__()
        self.config = config
        self.model = Inner(config)
        for name, p in self.named_parameters():
            if p.dim() > 1 and p.requires_grad:
                nn.init.normal_(p, std=0.02 if "embed" in name else p[0].numel() ** -0.5)
            elif name.endswith("bias"):
                nn.init.zeros_(p)
        for layer in [*self.model.encoder.layers, *self.model.decoder.layers]:
            layer.fc2.weight.data *= 0.5
            layer.self_attn.out_proj.weight.data *= 0.5

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden @ self.model.decoder.embed_tokens.weight.T


class TrainingNet(nn.Module):
    """Whisper with the head for the frame-level phone loss, which is thrown away afterwards."""

    PHONES = 160

    def __init__(self, config: dict = CONFIG):
        super().__init__()
        self.whisper = Whisper(config)
        self.phones = nn.Linear(config["d_model"], self.PHONES)
