"""Greedy transcription with PyTorch, by the rules of openai/whisper's transcribe(), for evaluation.

Ref: Radford et al. (2022), 4.5 (no-speech threshold, timestamps); our own implementation.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from export import non_speech_tokens
from features import RATE, WINDOW_FRAMES, pad_window, recording_windows_features
from model import ALIGNMENT_HEADS, Whisper
from tokenizer import (EN, EOT, LANGUAGES, NO_SPEECH, NO_TIMESTAMPS, PREV, SOT, TIMESTAMP, TRANSCRIBE, Tokenizer)


def load(path: str) -> Whisper:
    """A checkpoint of train.py (the averaged weights, rounded to float16 as they are shipped)."""
    state = torch.load(path, map_location="cpu")
    model = Whisper(state["config"])
    model.load_state_dict({k.removeprefix("whisper."): v.half().float() for k, v in state["average"].items()
                           if k.startswith("whisper.")})
    return model.eval()


@dataclass
class Decoded:
    tokens: list[int]
    mean_log_probability: float
    no_speech: float
    language: str


@dataclass
class Segment:
    start: float
    end: float
    tokens: list[int]
    text: str


class Decoder:
    def __init__(self, model: Whisper, tokenizer: Tokenizer):
        self.model, self.tokenizer = model, tokenizer
        self.suppressed = torch.tensor([*non_speech_tokens(tokenizer), NO_TIMESTAMPS])
        self.blank = torch.tensor([*tokenizer.encode(" "), EOT])

    @torch.no_grad()
    def encode(self, features: np.ndarray) -> torch.Tensor:
        return self.model.model.encoder(torch.from_numpy(pad_window(features).T[None].copy()))

    def _step(self, ids: list[int], audio, cache: list, past: int) -> torch.Tensor:
        """Logits for `ids` after `past` cached tokens; `cache` holds keys and values per layer."""
        d = self.model.model.decoder
        x = d.embed_tokens(torch.tensor([ids])) + d.embed_positions.weight[past : past + len(ids)]
        mask = torch.full((len(ids), past + len(ids)), -1e9).triu(past + 1)
        for layer, store in zip(d.layers, cache):
            a = layer.self_attn
            y = layer.self_attn_layer_norm(x)
            q, k, v = a.split(a.q_proj(y)), a.split(a.k_proj(y)), a.split(a.v_proj(y))
            if "k" in store:
                k, v = torch.cat([store["k"], k], 2), torch.cat([store["v"], v], 2)
            store["k"], store["v"] = k, v
            x = x + a.out_proj(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))
            a = layer.encoder_attn
            if "ak" not in store:
                store["ak"], store["av"] = a.split(a.k_proj(audio)), a.split(a.v_proj(audio))
            q = a.split(a.q_proj(layer.encoder_attn_layer_norm(x)))
            x = x + a.out_proj(F.scaled_dot_product_attention(q, store["ak"], store["av"]).transpose(1, 2).flatten(2))
            x = x + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))
        return self.model.logits(d.layer_norm(x))[0]

    @torch.no_grad()
    def decode(self, audio: torch.Tensor, prompt: list[int] = [], timestamps: bool = True, limit: int = 220) -> Decoded:
        before = [PREV, *prompt] if prompt else []
        start = [SOT, EN, TRANSCRIBE] + ([] if timestamps else [NO_TIMESTAMPS])
        cache: list = [{} for _ in self.model.model.decoder.layers]
        logits = self._step(before + start, audio, cache, 0)
        at_start = logits[len(before)]
        no_speech = float(at_start.softmax(-1)[NO_SPEECH])
        language = LANGUAGES[int(at_start[EN : EN + len(LANGUAGES)].argmax())]
        logits, past = logits[-1], len(before) + len(start)
        out: list[int] = []
        total = 0.0
        while True:
            logits = logits.clone()
            logits[self.suppressed] = -torch.inf
            if not out:
                logits[self.blank] = -torch.inf
            if timestamps:
                self._timestamp_rules(logits, out)
            else:
                logits[TIMESTAMP:] = -torch.inf
            log_probabilities = logits.log_softmax(-1)
            token = int(log_probabilities.argmax())
            total += float(log_probabilities[token])
            if token == EOT or len(out) >= limit:
                return Decoded(out, total / (len(out) + 1), no_speech, language)
            out.append(token)
            logits = self._step([token], audio, cache, past)[-1]
            past += 1

    @staticmethod
    def _timestamp_rules(logits: torch.Tensor, out: list[int]) -> None:
        last = bool(out) and out[-1] >= TIMESTAMP
        before_last = len(out) < 2 or out[-2] >= TIMESTAMP
        if last:
            if before_last:
                logits[TIMESTAMP:] = -torch.inf
            else:
                logits[:EOT] = -torch.inf
        stamps = [t for t in out if t >= TIMESTAMP]
        if stamps:
            logits[TIMESTAMP : stamps[-1] + (0 if last and not before_last else 1)] = -torch.inf
        if not out:
            logits[:TIMESTAMP] = -torch.inf
            logits[TIMESTAMP + 51 :] = -torch.inf
        log_probabilities = logits.log_softmax(-1)
        if log_probabilities[TIMESTAMP:].logsumexp(0) > log_probabilities[:TIMESTAMP].max():
            logits[:TIMESTAMP] = -torch.inf

    def transcribe(self, audio: np.ndarray, prompt: str | None = None) -> tuple[list[Segment], list[Decoded]]:
        """All windows of a recording, in the way of openai/whisper: a window that ends inside a
        sentence is left at its last timestamp, and the next one starts there."""
        features = recording_windows_features(audio)
        seek, segments, decoded = 0, [], []
        carried = self.tokenizer.encode(" " + prompt.strip()) if prompt else []
        history: list[int] = []  # with the timestamps, as in openai/whisper
        while seek < len(features):
            size = min(WINDOW_FRAMES, len(features) - seek)
            d = self.decode(self.encode(features[seek : seek + size]), [*carried, *history[-(223 - len(carried)):]])
            decoded.append(d)
            if d.no_speech > 0.6 and d.mean_log_probability < -1.0:
                seek += size
                continue
            offset = seek / 100
            new, tokens = [], d.tokens
            stamp = [t >= TIMESTAMP for t in tokens]
            cuts = [i + 1 for i in range(len(tokens) - 1) if stamp[i] and stamp[i + 1]]
            seconds = lambda t: (t - TIMESTAMP) * 0.02
            text = lambda ts: self.tokenizer.decode([t for t in ts if t < EOT])
            if cuts:
                single = stamp[-2:] == [False, True]
                if single:
                    cuts.append(len(tokens))
                at = 0
                for cut in cuts:
                    part = tokens[at:cut]
                    new.append(Segment(offset + seconds(part[0]), offset + seconds(part[-1]), part, text(part)))
                    at = cut
                seek += size if single else (tokens[cuts[-1] - 1] - TIMESTAMP) * 2
            else:
                stamps = [t for t in tokens if t >= TIMESTAMP]
                start = seconds(stamps[0]) if stamps else 0.0
                end = seconds(stamps[-1]) if stamps and stamps[-1] != TIMESTAMP else size / 100
                new.append(Segment(offset + min(start, end), offset + end, tokens, text(tokens)))
                seek += size
            new = [s for s in new if s.text.strip() and s.start < s.end]
            segments += new
            history += [t for s in new for t in s.tokens]
            if cuts and not single and tokens[cuts[-1] - 1] == TIMESTAMP:
                seek += size  # no progress: as good as the end
        return segments, decoded

    @torch.no_grad()
    def word_times(self, features: np.ndarray, text_tokens: list[int]) -> list[tuple[str, float, float]]:
        """Words with start and end in seconds of the window, from the alignment heads' attention."""
        frames = min(WINDOW_FRAMES, len(features)) // 2
        ids = torch.tensor([[SOT, EN, TRANSCRIBE, NO_TIMESTAMPS, *text_tokens, EOT]])
        _, attention, _ = self.model.model.decoder(ids, self.encode(features), weights_from=0)
        w = torch.stack([attention[l][0, h] for l, h in ALIGNMENT_HEADS])[:, :, :frames]
        w = w / w.sum(-1, keepdim=True)
        w = (w - w.mean(1, keepdim=True)) / w.std(1, keepdim=True, unbiased=False)
        w = F.pad(w, (3, 3), mode="reflect").unfold(-1, 7, 1).median(-1).values
        cost = -w.mean(0)[3:-1].numpy()
        rows, columns = cost.shape
        best = np.full((rows + 1, columns + 1), np.inf)
        best[0, 0] = 0
        step = np.zeros((rows + 1, columns + 1), int)
        for j in range(1, columns + 1):
            for i in range(1, rows + 1):
                options = (best[i - 1, j - 1], best[i - 1, j], best[i, j - 1])
                step[i, j] = int(np.argmin(options))
                best[i, j] = cost[i - 1, j - 1] + options[step[i, j]]
        starts = np.zeros(rows)
        i, j = rows, columns
        while i > 0 and j > 0:
            starts[i - 1] = (j - 1) * 0.02
            s = step[i, j]
            i, j = i - (s in (0, 1)), j - (s in (0, 2))
        words: list[list] = []
        for n, t in enumerate(text_tokens):
            piece = self.tokenizer.decode([t])
            if piece.startswith(" ") or not words:
                words.append([piece, starts[n], starts[n + 1]])
            else:
                words[-1][0] += piece
                words[-1][2] = starts[n + 1]
        return [(w.strip(), float(a), float(b)) for w, a, b in words]


def duration(audio: np.ndarray) -> float:
    return len(audio) / RATE
