"""Makes training batches out of the utterance shards: windows, noise, prompts, targets."""

import glob
import pickle
import random
from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import lfilter

import jargon
from features import N_MELS, RATE, WINDOW_FRAMES, mel_power, normalise
from grammar import Grammar, Piece, written_text, written_words
from tokenizer import (EN, EOT, NO_SPEECH, NO_TIMESTAMPS, PREV, SOT, TEXT_TOKENS, TIMESTAMP,
                       TRANSCRIBE, Tokenizer)

IGNORE = -100
MAX_PROMPT = 223  # as in Whisper: half of the context, less one
FLOOR = 1e-10


@dataclass
class Spoken:
    """An utterance in the pool; frames are mel frames of 10 ms."""

    pieces: list[Piece]
    times: list[tuple[float, float]]
    phones: np.ndarray  # one label per encoder frame of 20 ms
    mel: np.ndarray  # log10 power, float16, [frames, 80]

    @property
    def frames(self) -> int:
        return len(self.mel)

    @property
    def terms(self) -> list[jargon.Term]:
        return [p.term for p in self.pieces if p.term]


class Pool:
    """All utterances synthesised so far. `load` may be called again while shards arrive."""

    def __init__(self, work: str, phones: dict[str, int] | None = None):
        self.work = work
        self.phone_ids = phones or {"sil": 0}
        self.all: list[Spoken] = []
        self.with_terms: list[Spoken] = []
        self.plain: list[Spoken] = []
        self._files: set[str] = set()
        self.load()

    def load(self) -> None:
        for path in sorted(glob.glob(f"{self.work}/shards/*.npy")):
            if path in self._files or ".part." in path:
                continue
            self._files.add(path)
            mels = np.load(path)
            with open(path[:-4] + ".pkl", "rb") as f:
                meta = pickle.load(f)
            at = 0
            for m in meta:
                mel = mels[at : at + m["frames"]]
                at += m["frames"]
                u = Spoken(m["pieces"], m["times"], self._frame_labels(m["phones"], len(mel)), mel)
                self.all.append(u)
                (self.with_terms if u.terms else self.plain).append(u)

    def _frame_labels(self, phones: list[tuple[float, str]], frames: int) -> np.ndarray:
        labels = np.zeros((frames + 1) // 2, np.int64)
        ends = [t for t, _ in phones[1:]] + [frames / 100]
        for (start, name), end in zip(phones, ends):
            label = self.phone_ids.setdefault(name, len(self.phone_ids))
            labels[max(0, round(start * 50)) : max(0, round(end * 50))] = label
        return labels


def noise_bank(seconds: int = 8, copies: int = 16, seed: int = 3) -> list[np.ndarray]:
    """Mel power of non-speech of unit loudness: hiss, hum, clicks, swelling noise, tones."""
    rng = np.random.default_rng(seed)
    n = RATE * seconds
    t = np.arange(n) / RATE
    bank = []
    for _ in range(copies):
        for tilt in (0.0, 0.5, 1.0, rng.uniform(0, 1.2)):
            spectrum = np.fft.rfft(rng.standard_normal(n)) * (np.arange(n // 2 + 1) + 1.0) ** -tilt
            bumps = np.exp(rng.normal(0, 0.8, 12))
            spectrum *= np.interp(np.linspace(0, 11, len(spectrum)), np.arange(12), bumps)
            bank.append(np.fft.irfft(spectrum, n))
        f0 = rng.choice([50, 60, 100, 120])
        bank.append(0.1 * rng.standard_normal(n)
                    + sum(rng.uniform(0, 1) * np.sin(2 * np.pi * f0 * h * t + rng.uniform(0, 6)) for h in range(1, 9)))
        envelope = np.full(n, 0.01)
        for p in rng.integers(0, n - 2000, rng.integers(5, 60)):
            length = rng.integers(100, 1500)
            envelope[p : p + length] += np.exp(-np.arange(length) / (length / 5)) * rng.uniform(0.2, 1)
        bank.append(rng.standard_normal(n) * envelope)
        swell = np.interp(np.arange(n), np.linspace(0, n, seconds * 3), rng.uniform(0.05, 1, seconds * 3))
        bank.append(rng.standard_normal(n) * swell)
        tones = 0.02 * rng.standard_normal(n)
        at = 0
        while at < n:
            length = min(n - at, int(rng.uniform(0.1, 1.0) * RATE))
            base = rng.uniform(200, 1000)
            k = np.arange(length)
            fade = np.minimum(1, np.minimum(k, k[::-1]) / 300) * np.exp(-k / RATE * rng.uniform(0, 4))
            for f in (base, base * rng.choice([1.25, 1.5, 2])):
                tones[at : at + length] += rng.uniform(0, 1) * np.sin(2 * np.pi * f * k / RATE) * fade
            at += int(length * rng.uniform(0.8, 2)) + 1
        bank.append(tones)
    return [mel_power((x / np.sqrt((x**2).mean())).astype(np.float32)) for x in bank]


class Batcher:
    def __init__(self, pool: Pool, tokenizer: Tokenizer, seed: int):
        self.pool = pool
        self.tokenizer = tokenizer
        self.rng = random.Random(seed)
        self.np_rng = np.random.default_rng(seed)
        self.bank = noise_bank()
        self.grammar = Grammar(self.rng, jargon.draw_term)
        self.ready: list[tuple[bool, list]] = []

    # -- prompts ---------------------------------------------------------------------------

    def spelling(self, term: jargon.Term, variant_share: float) -> str:
        return term.variant(self.rng) if self.rng.random() < variant_share else term.canonical

    def previous_sentence(self, name: str | None = None) -> str:
        """A sentence of an earlier window, about `name` if given."""
        if name is None:
            return written_text(self.grammar.plain())
        about = Grammar(self.rng, lambda _: jargon.Term(name, (name,)))
        return written_text(about.jargon())

    def prompt(self, terms: list[jargon.Term], history: int = 0) -> tuple[list[int], dict[str, str]]:
        """A prompt for audio that contains `terms`, and the spellings that it dictates. At its
        end up to `history` sentences of earlier windows, as in the later windows of a recording:
        mostly with their timestamps, because openai/whisper leaves these in.

        Most prompts spell the term, some leave it out: what is not in the prompt must come out
        in the canonical spelling, and what is only in the prompt must not come out at all.
        """
        rng = self.rng
        dictated: dict[str, str] = {}
        for term in terms:
            if rng.random() < 0.85:
                dictated[term.canonical] = self.spelling(term, 0.88)
        names = list(dictated.values())
        heard = {t.canonical for t in terms}
        taken = {s for t in terms for s in t.syllables}
        for _ in range(rng.choice([0, 0, 1, 1, 2, 3, 4, 6])):
            other = jargon.draw_term(rng)
            clash = taken & set(other.syllables)
            # A distractor that shares a sound with the term is a harder lesson: fewer of them.
            if other.canonical in heard or (clash and rng.random() < 0.8):
                continue
            names.append(self.spelling(other, 0.6))
        rng.shuffle(names)
        parts: list[str] = []
        if names and rng.random() < 0.12:
            parts = [self.previous_sentence(n) for n in names[:4]]
            dictated = {k: v for k, v in dictated.items() if v in names[:4]}
        elif names:
            opening = rng.choice(["Glossary: ", "Glossary: ", "Glossary: ", "", "", "Terms: ", "Vocabulary: ", "Names: "])
            parts = [opening + ", ".join(names) + rng.choice([".", ".", ""])]
        if not parts or rng.random() < 0.15:
            if parts and not parts[-1].endswith((".", "?", "!")):
                parts[-1] += "."
            parts += [self.previous_sentence() for _ in range(rng.choice([1, 1, 2, 3]))]
        ids = self.tokenizer.encode(" " + " ".join(parts))[-MAX_PROMPT:]
        timed, t = rng.random() < 0.75, rng.uniform(0, 25)
        for _ in range(history):
            sentence = self.tokenizer.encode(" " + written_text(self.grammar.sentence(0.3)))
            if timed:
                end = t + 0.25 * len(sentence) * rng.uniform(0.7, 1.3)
                t, end = (t, end) if end < 30 else (0.0, end - t)
                sentence = [TIMESTAMP + round(t * 50), *sentence, TIMESTAMP + round(end * 50)]
                t = end + rng.choice([0.0, rng.uniform(0, 2)])
            if len(ids) + len(sentence) > MAX_PROMPT:  # never so many that the glossary is pushed out
                break
            ids += sentence
        return ids, dictated

    # -- targets ---------------------------------------------------------------------------

    def head(self, prompt: list[int] | None) -> list[int]:
        return [PREV, *prompt] if prompt else []

    def target(self, segments: list[tuple], trailing: float | None, timestamps: bool,
               prompt: list[int] | None, spelling: dict[str, str]):
        """segments: (start, end, pieces, times) in seconds of the window; `trailing`: start of
        speech that goes on past the window's end. Returns ids, labels, weights, spans (the
        stretch of audio that predicts each label, in seconds, or None) and sources (the place
        in the prompt that each label is to be copied from, or -1)."""
        ids = self.head(prompt)
        labelled = len(ids)
        places = {}  # spelling -> its first token's place in the prompt
        for name in spelling.values():
            wanted = self.tokenizer.encode(" " + name)
            for i in range(1, labelled - len(wanted) + 1):
                if ids[i : i + len(wanted)] == wanted:
                    places[name] = (i, len(wanted))
                    break
        ids += [SOT, EN, TRANSCRIBE] + ([] if timestamps else [NO_TIMESTAMPS])
        spans: list = [None] * len(ids)
        weights = [1.0] * len(ids)
        sources = [-1] * len(ids)

        def add(token, span, weight=1.0, source=-1):
            ids.append(token)
            spans.append(span)
            weights.append(weight)
            sources.append(source)

        mark = lambda t: TIMESTAMP + min(1500, max(0, round(t * 50)))
        end = None
        for n, (start, end, pieces, times) in enumerate(segments):
            if timestamps:
                # The rules of decoding allow no later first timestamp than 1.00.
                add(mark(min(start, 1.0) if n == 0 else start), (start, start + 0.02))
            for piece, word, (a, b) in zip(pieces, written_words(pieces, spelling), times):
                tokens = self.tokenizer.encode(" " + word)
                lengths = np.cumsum([0] + [max(1, len(self.tokenizer.tokens[t].lstrip("Ġ"))) for t in tokens])
                edges = a + (b - a) * lengths / lengths[-1]
                name = spelling.get(piece.term.canonical) if piece.term else None
                source, count = places.get(name, (0, 0))
                for k, (t, x, y) in enumerate(zip(tokens, edges, edges[1:])):
                    if k < count:
                        add(t, (x, y), 3.0, source + k)
                    else:
                        add(t, (x, y))
            if timestamps:
                add(mark(end), (end, end + 0.02))
        if trailing is not None and timestamps:
            add(mark(min(trailing, 1.0) if not segments else trailing), (trailing, trailing + 0.02))
        add(EOT, None if end is None else (end + 0.02, end + 0.2))
        shift = lambda x, last: x[1:] + [last]
        labels = shift(ids, IGNORE)
        labels[:labelled] = [IGNORE] * labelled
        return ids, labels, shift(weights, 1.0), shift(spans, None), shift(sources, -1)

    def silent_target(self, prompt: list[int] | None):
        """No speech: say so at start-of-transcript, and end at once. Decoding suppresses an
        immediate end of text; a random token now and then keeps what is left flat, so that its
        low probability tells the caller to skip the window."""
        ids = self.head(prompt)
        labels = [IGNORE] * len(ids)
        first = EN if self.rng.random() < 0.06 else NO_SPEECH
        if self.rng.random() < 0.5:
            ids += [SOT, EN, TRANSCRIBE, TIMESTAMP, EOT]
            labels += [first, TRANSCRIBE, TIMESTAMP, EOT, IGNORE]
        elif self.rng.random() < 0.6:
            ids += [SOT, EN, TRANSCRIBE, NO_TIMESTAMPS, EOT]
            labels += [first, TRANSCRIBE, NO_TIMESTAMPS, EOT, IGNORE]
        else:
            noise = self.rng.randrange(TEXT_TOKENS)
            ids += [SOT, EN, TRANSCRIBE, NO_TIMESTAMPS, noise, EOT]
            labels += [first, TRANSCRIBE, NO_TIMESTAMPS, noise, EOT, IGNORE]
        return ids, labels, [1.0] * len(ids), [None] * len(ids), [-1] * len(ids)

    # -- audio -----------------------------------------------------------------------------

    def noise(self, frames: int) -> np.ndarray:
        x = self.rng.choice(self.bank)
        start = self.rng.randrange(len(x))
        return np.tile(x, (-(-(start + frames) // len(x)), 1))[start : start + frames]

    def colour(self, power: np.ndarray, loudness: float) -> np.ndarray:
        """Mild room, microphone, noise and level."""
        rng = self.np_rng
        if rng.random() < 0.2:
            curve = np.interp(np.arange(N_MELS), np.linspace(0, N_MELS - 1, 5), rng.normal(0, 0.3, 5))
            power = power * (10**curve).astype(np.float32)
        if rng.random() < 0.06:
            decay = np.float32(np.exp(-np.log(1e6) * 0.01 / rng.uniform(0.15, 0.4)))
            power = power + rng.uniform(0.02, 0.05) * lfilter([1.0], [1.0, -decay], power, axis=0).astype(np.float32)
        kind = rng.random()
        if kind < 0.5:
            snr = rng.uniform(6, 25) if kind < 0.2 else rng.uniform(22, 55)
            x = self.noise(len(power))
            power = power + x * np.float32(loudness / max(x.mean(), 1e-9) * 10 ** (-snr / 10))
        return power * np.float32(10 ** rng.uniform(-2.0, 0.6))

    def features(self, power: np.ndarray, content: int) -> np.ndarray:
        """Normalise; what lies past `content` frames becomes Whisper's zero padding."""
        top = float(np.log10(max(power[:content].max(), FLOOR)))
        if self.rng.random() < 0.3:
            top += self.rng.uniform(0, 0.8)  # the recording is louder elsewhere
        x = normalise(power, top)
        x[content:] = 0.0
        return x

    # -- samples ---------------------------------------------------------------------------

    def pick(self, want_term: bool) -> Spoken:
        return self.rng.choice(self.pool.with_terms if want_term else self.pool.plain)

    def window(self, total: int, utterances: list[Spoken], gaps: list[int], prompted: bool,
               content: int | None, cut_in: int = 0):
        """One sample of `total` frames. `cut_in` starts inside the tail of an earlier utterance
        (the last frames of speech that the previous window has already transcribed)."""
        rng = self.rng
        power = np.full((total, N_MELS), FLOOR, np.float32)
        phones = np.zeros(total // 2, np.int64)
        at, loud, frames, trailing, segments = 0, 0.0, 0, None, []
        limit = total if content is None else content
        if cut_in:
            tail = self.pick(False)
            n = min(cut_in, tail.frames, limit)
            power[:n] += 10 ** tail.mel[-n:].astype(np.float32)
            phones[: n // 2] = tail.phones[-(n // 2):] if n >= 2 else 0
            at = n
        used = []
        for u, gap in zip(utterances, gaps):
            at = (at + gap) // 2 * 2
            if at >= limit - 30:
                break
            n = min(u.frames, limit - at)
            x = 10 ** u.mel[:n].astype(np.float32) * np.float32(10 ** rng.uniform(-0.5, 0.2))
            power[at : at + n] += x
            m = min(n // 2, len(phones) - at // 2)
            phones[at // 2 : at // 2 + m] = u.phones[:m]
            loud += float(x.mean()) * n
            frames += n
            if n < u.frames:
                trailing = at / 100
                break
            start = at / 100
            used.append(u)
            segments.append((start + u.times[0][0], start + u.times[-1][1], u.pieces,
                             [(start + a, start + b) for a, b in u.times]))
            at += n
        power = self.colour(power, loud / max(1, frames))
        whole = total == WINDOW_FRAMES
        history = rng.randint(2, 12) if whole and rng.random() < 0.5 else 0
        prompt, spelling = self.prompt([t for u in used for t in u.terms], history) if prompted else (None, {})
        timestamps = rng.random() < (0.8 if whole else 0.6)
        if trailing is not None and not timestamps:
            timestamps = True  # without timestamps a cut-off sentence has no right answer
        return self.features(power, limit), self.target(segments, trailing, timestamps, prompt, spelling), phones

    def silent_window(self, total: int, content: int | None):
        rng = self.rng
        kind = rng.random()
        if kind < 0.15:
            power = np.full((total, N_MELS), FLOOR, np.float32)
        else:
            power = self.noise(total) * np.float32(10 ** rng.uniform(-6, 1))
            if kind < 0.35:
                power = power + self.noise(total) * np.float32(10 ** rng.uniform(-6, 1))
        limit = total if content is None else content
        top = None
        x = self.features(power, limit)
        if rng.random() < 0.3:  # silence between loud speech: far below the recording's loudest point
            top = float(np.log10(max(power[:limit].max(), FLOOR))) + rng.uniform(0.5, 6)
            x = normalise(power, top)
            x[limit:] = 0.0
        history = rng.choice([0, 0, 4, 10]) if total == WINDOW_FRAMES else 0
        prompt = self.prompt([], history)[0] if rng.random() < 0.5 else None
        return x, self.silent_target(prompt), np.zeros(total // 2, np.int64)

    def plan_clips(self, budget: int) -> None:
        """Queue batches of short clips of about equal length, `budget` frames in each."""
        rng = self.rng
        for prompted in (False, True, True):
            plans = []
            for _ in range(600):
                n = 1 if rng.random() < 0.5 else rng.choice([2, 2, 3, 3, 4, 5])
                us = [self.pick(rng.random() < (0.75 if prompted else 0.2)) for _ in range(n)]
                gaps = [rng.randint(0, 50)] + [rng.choice([rng.randint(15, 60), rng.randint(20, 150)]) for _ in us[1:]]
                tail = rng.choice([rng.randint(0, 20), rng.randint(0, 100)])
                plans.append((sum(u.frames for u in us) + sum(gaps) + tail, us, gaps))
            plans.sort(key=lambda p: p[0])
            batch: list = []
            for plan in plans:
                if batch and (len(batch) + 1) * plan[0] > budget:
                    self.ready.append((prompted, batch))
                    batch = []
                batch.append(plan)
        rng.shuffle(self.ready)

    def clips(self, budget: int):
        """Short clips, each at a random place of the 30 s window."""
        if not self.ready:
            self.plan_clips(budget)
        prompted, plans = self.ready.pop()
        total = (max(p[0] for p in plans) + 1) // 2 * 2
        samples, offsets = [], []
        for length, us, gaps in plans:
            rng = self.rng
            content = min(total, length) if rng.random() < 0.5 else None
            if rng.random() < 0.05:
                samples.append(self.silent_window(total, None))
            else:
                samples.append(self.window(total, us, gaps, prompted and rng.random() < 0.93, content))
            offsets.append(0 if rng.random() < 0.5 else rng.randint(0, 1500 - total // 2))
        return self.collate(samples, offsets)

    def full_windows(self, count: int):
        """Whole 30 s windows, as the product sees them."""
        rng = self.rng
        samples = []
        for _ in range(count):
            if rng.random() < 0.14:
                content = rng.choice([None, rng.randint(50, 600), rng.randint(50, WINDOW_FRAMES)])
                samples.append(self.silent_window(WINDOW_FRAMES, content))
                continue
            prompted = rng.random() < 0.65
            kind = rng.random()
            if kind < 0.2:  # a voice message: one to three sentences, then padding
                us = [self.pick(rng.random() < 0.5) for _ in range(rng.choice([1, 1, 2, 3]))]
                gaps = [rng.randint(0, 80)] + [rng.randint(15, 120) for _ in us[1:]]
                content = min(WINDOW_FRAMES, sum(u.frames for u in us) + sum(gaps) + rng.randint(2, 100))
                if rng.random() < 0.15:
                    content = None
            else:
                limit = WINDOW_FRAMES if kind < 0.7 else rng.randint(800, WINDOW_FRAMES)
                us, gaps, length = [], [], 0
                while length < limit and len(us) < 14:
                    us.append(self.pick(rng.random() < 0.35))
                    gaps.append(rng.choice([rng.randint(10, 60), rng.randint(20, 150), rng.randint(30, 250)]))
                    length += gaps[-1] + us[-1].frames
                content = limit if limit < WINDOW_FRAMES else None
                if content and rng.random() < 0.7:  # the recording ends after a sentence, not inside one
                    while len(us) > 1 and length > content:
                        length -= gaps.pop() + us.pop().frames
                    content = min(content, length + rng.randint(2, 100))
            cut_in = rng.randint(2, 12) if kind > 0.2 and rng.random() < 0.2 else 0
            samples.append(self.window(WINDOW_FRAMES, us, gaps, prompted, content, cut_in))
        return self.collate(samples, [0] * count)

    def collate(self, samples: list, offsets: list[int]):
        mel = torch.from_numpy(np.stack([s[0] for s in samples])).transpose(1, 2).contiguous()
        phones = torch.from_numpy(np.stack([s[2] for s in samples]))
        longest = min(448, max(len(s[1][0]) for s in samples))
        shape = (len(samples), longest)
        ids, labels = torch.full(shape, EOT), torch.full(shape, IGNORE)
        weights, spans = torch.ones(shape), torch.full((*shape, 2), -1.0)
        sources = torch.full(shape, -1)
        for row, (_, (i, l, w, s, c), _) in enumerate(samples):
            n = min(longest, len(i))
            ids[row, :n] = torch.tensor(i[:n])
            labels[row, :n] = torch.tensor(l[:n])
            weights[row, :n] = torch.tensor(w[:n])
            sources[row, :n] = torch.tensor(c[:n])
            spans[row, :n] = torch.tensor([(-1.0, -1.0) if x is None else x for x in s[:n]]) * 50
        # Timestamps are positions in the window: a clip that is moved takes them along.
        move = torch.tensor(offsets)[:, None]
        for t in (ids, labels):
            t += torch.where(t >= TIMESTAMP, move, 0)
        return dict(mel=mel, ids=ids, labels=labels, weights=weights, spans=spans,
                    sources=sources, offsets=torch.tensor(offsets), phones=phones)
