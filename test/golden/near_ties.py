# How close the reference came to another decision: below `TIE`, two right implementations may differ.
import contextlib
import types

import torch
import whisper.decoding as decoding

TIE = 2e-4


class NearTies:
    """Wraps openai's decoders and filters; `smallest` is the smallest gap seen since `reset`."""

    def __init__(self):
        self.reset()
        self.timestamp_begin = None
        self._wrap(decoding.GreedyDecoder, "update", self._greedy)
        self._wrap(decoding.BeamSearchDecoder, "update", self._beam)
        self._wrap(decoding.MaximumLikelihoodRanker, "rank", self._rank)
        self._wrap(decoding.ApplyTimestampRules, "apply", self._timestamp_rules)
        functional = decoding.F
        self._log_softmax = functional.log_softmax
        decoding.F = types.SimpleNamespace(log_softmax=self._watched_log_softmax, pad=functional.pad)

    def reset(self):
        self.smallest = float("inf")

    def see(self, gap):
        gap = float(gap)
        if gap == gap:
            self.smallest = min(self.smallest, abs(gap))

    @staticmethod
    def _wrap(owner, name, watch):
        original = getattr(owner, name)

        def wrapped(self, *args):
            with watch(self, *args) or contextlib.nullcontext():
                return original(self, *args)

        setattr(owner, name, wrapped)

    def _greedy(self, decoder, tokens, logits, sum_logprobs):
        top = logits.topk(2).values
        for row in range(tokens.shape[0]):
            if tokens[row, -1] != decoder.eot:
                self.see(top[row, 0] - top[row, 1])

    def _beam(self, decoder, tokens, logits, sum_logprobs):
        size = decoder.beam_size
        scores = {}
        top = self._log_softmax(logits.float(), dim=-1).topk(size + 1)
        totals = (sum_logprobs[:, None] + top.values).tolist()
        for sequence, row, following in zip(tokens.tolist(), totals, top.indices.tolist()):
            scores.update({(*sequence, token): total for token, total in zip(following, row)})
        ranked = sorted(scores, key=scores.get, reverse=True)
        open_ones = [scores[sequence] for sequence in ranked if sequence[-1] != decoder.eot]
        if len(open_ones) > size:
            self.see(open_ones[size - 1] - open_ones[size])
        # A sequence is finished only when it ranks above the last one kept.
        for sequence in ranked:
            if sequence[-1] == decoder.eot and len(open_ones) >= size:
                self.see(scores[sequence] - open_ones[size - 1])

    def _rank(self, ranker, tokens, sum_logprobs):
        for sequences, logprobs in zip(tokens, sum_logprobs):
            scored = {}
            for sequence, logprob in zip(sequences, logprobs):
                length = len(sequence)
                penalty = ((5 + length) / 6) ** ranker.length_penalty if ranker.length_penalty is not None else length
                if penalty:
                    scored[tuple(sequence.tolist())] = logprob / penalty
            best = sorted(scored.values(), reverse=True)
            if len(best) > 1:
                self.see(best[0] - best[1])

    @contextlib.contextmanager
    def _timestamp_rules(self, rules, logits, tokens):
        self.timestamp_begin, self.eot, self.last = rules.tokenizer.timestamp_begin, rules.tokenizer.eot, tokens[:, -1]
        try:
            yield
        finally:
            self.timestamp_begin = None

    def _watched_log_softmax(self, logits, dim):
        logprobs = self._log_softmax(logits, dim=dim)
        if self.timestamp_begin is not None:
            for row in range(logprobs.shape[0]):
                timestamps = logprobs[row, self.timestamp_begin :].logsumexp(dim=-1)
                text = logprobs[row, : self.timestamp_begin].max()
                if self.last[row] != self.eot and torch.isfinite(timestamps) and torch.isfinite(text):
                    self.see(timestamps - text)
        return logprobs
