"""Makes the held-out set and the clips to try: sentences of the grammar that training never saw.

    python make_eval.py --work WORK --out models/demo/eval --per-category 10
    python make_eval.py --work WORK --sample models/demo/sample

A sentence counts as unseen when its written form is in no training shard; "jargonnew" uses only
names that jargon.is_held_out() keeps out of training. Needs ffmpeg (Debian) to write FLAC and Opus.
"""

import argparse
import glob
import json
import os
import pickle
import random
import subprocess

import numpy as np

import jargon
from features import RATE
from grammar import Grammar, Piece, articles, spoken_text, words, written_text, written_words
from synthesize import VOICES, piece_times, speak


def write_audio(path: str, audio: np.ndarray) -> None:
    codec = ["-c:a", "libopus", "-b:a", "24k"] if path.endswith(".ogg") else ["-c:a", "flac", "-compression_level", "12"]
    # Eleven bits are plenty for these voices, and halve the FLAC files.
    pcm = (np.round(np.clip(audio, -1, 1) * 1023) * 32).astype("<i2").tobytes()
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-",
                    "-bitexact", *codec, path], input=pcm, check=True)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


def hiss(rng: np.random.Generator, n: int, tilt: float) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal(n)) * (np.arange(n // 2 + 1) + 1.0) ** -tilt
    x = np.fft.irfft(spectrum, n)
    return (x / np.sqrt((x**2).mean())).astype(np.float32)


def with_noise(rng: np.random.Generator, audio: np.ndarray, snr: float, tilt: float) -> np.ndarray:
    loud = audio[np.abs(audio) > 0.01]
    return audio + hiss(rng, len(audio), tilt) * np.sqrt((loud**2).mean()) * 10 ** (-snr / 20)


def place(utterances: list[tuple[list[Piece], tuple[str, str]]], gaps: list[float], lead: float, tail: float,
          spelling: dict[str, str] | None = None) -> tuple[np.ndarray, list[dict]]:
    """Speech with pauses, and its segments with word times in seconds."""
    parts, at, segments = [silence(lead)], int(lead * RATE), []
    for n, (pieces, (engine, voice)) in enumerate(utterances):
        u = speak(spoken_text(pieces), engine, voice)
        times = piece_times(pieces, u.word_times)
        t = at / RATE
        timed = [[w, round(t + a, 2), round(t + b, 2)] for w, (a, b) in zip(written_words(pieces, spelling), times)]
        segments.append(dict(start=timed[0][1], end=timed[-1][2], text=written_text(pieces, spelling), words=timed))
        gap = gaps[n] if n < len(gaps) else 0.0
        parts += [u.audio, silence(gap)]
        at += len(u.audio) + int(gap * RATE)
    parts.append(silence(tail))
    return np.concatenate(parts), segments


class Maker:
    def __init__(self, work: str, seed: int):
        self.rng = random.Random(seed)
        self.np_rng = np.random.default_rng(seed)
        self.known = Grammar(self.rng, lambda r: r.choice(jargon.KNOWN_TERMS))
        self.fresh = Grammar(self.rng, jargon.draw_held_out)
        self.seen: set[str] = set()
        for path in glob.glob(f"{work}/shards/*.pkl"):
            with open(path, "rb") as f:
                self.seen |= {written_text(m["pieces"]) for m in pickle.load(f)}
        print(len(self.seen), "training sentences")

    def unseen(self, draw) -> list[Piece]:
        while True:
            pieces = draw()
            text = written_text(pieces)
            if text not in self.seen and 4 <= len(pieces) <= 13:
                self.seen.add(text)
                return pieces

    def one_term(self, grammar: Grammar) -> list[Piece]:
        while True:
            pieces = self.unseen(grammar.jargon)
            if sum(p.term is not None for p in pieces) == 1:
                return pieces


def make_eval(maker: Maker, out: str, n: int) -> None:
    rng, items = maker.rng, []
    os.makedirs(out, exist_ok=True)

    def add(category: str, audio: np.ndarray, text: str, voice: tuple[str, str] | None, **more) -> None:
        name = f"{category}_{sum(i['category'] == category for i in items):03d}.flac"
        write_audio(f"{out}/{name}", audio)
        items.append(dict(file=name, category=category, text=text, voice=voice and ":".join(voice),
                          seconds=round(len(audio) / RATE, 2), **more))

    for i in range(n):
        voice = VOICES[i % 6]
        audio, segments = place([(maker.unseen(maker.known.plain), voice)], [], rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.6))
        add("clean", audio, segments[0]["text"], voice, segments=segments)
    for i in range(n * 3 // 4):
        voice = VOICES[i % 6]
        audio, segments = place([(maker.unseen(maker.known.plain), voice)], [], rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.6))
        snr = (20, 15, 10)[i % 3]
        add("noisy", with_noise(maker.np_rng, audio, snr, (0.0, 0.5, 1.0)[i // 3 % 3]), segments[0]["text"], voice, snr=snr)
    for category, grammar in (("jargonknown", maker.known), ("jargonnew", maker.fresh)):
        for i in range(n):
            voice = VOICES[i % 6]
            pieces = maker.one_term(grammar)
            term = next(p.term for p in pieces if p.term)
            spelling = {term.canonical: term.variant(rng)}
            others = []
            while len(others) < i % 4 + (category == "jargonknown"):
                other = jargon.draw_held_out(rng) if category == "jargonnew" else rng.choice(jargon.KNOWN_TERMS)
                known = {term, *others}
                if other not in known and not set(other.syllables) & set(term.syllables):
                    others.append(other)
            others = [t.variant(rng) for t in others]
            names = [spelling[term.canonical], *others]
            rng.shuffle(names)
            audio, segments = place([(pieces, voice)], [], 0.3, 0.4)
            add(category, audio, segments[0]["text"], voice, canonical=term.canonical, term=spelling[term.canonical],
                prompt="Glossary: " + ", ".join(names) + ".", text_prompted=written_text(pieces, spelling),
                prompt_without="Glossary: " + ", ".join(others) + "." if others else None, others=others)
    for i in range(max(2, n * 3 // 10)):
        utterances, gaps, total = [], [], 0.0
        limit = rng.uniform(12, 20) if i % 2 else rng.uniform(34, 38)  # one window, or two
        while total < limit:
            voice = VOICES[(i + len(utterances)) % 6] if i % 2 else VOICES[i % 6]
            utterances.append((maker.unseen(maker.known.plain), voice))
            gaps.append(rng.uniform(0.4, 1.5))
            total += gaps[-1] + 2.4
        audio, segments = place(utterances, gaps, rng.uniform(0.1, 0.8), 0.3)
        add("multi", audio, " ".join(s["text"] for s in segments), None, segments=segments)
    for i in range(n):
        count = int(RATE * (2, 3, 2, 4)[i % 4])
        t = np.arange(count) / RATE
        kind = i % 5
        if kind == 0:
            audio = np.zeros(count, np.float32)
        elif kind in (1, 2):
            audio = hiss(maker.np_rng, count, (0.0, 1.0)[kind - 1]) * rng.uniform(0.0005, 0.05)
        elif kind == 3:
            audio = 0.1 * np.sin(2 * np.pi * 440 * t) * (np.sin(2 * np.pi * 1.5 * t) > 0)
        else:
            audio = 0.03 * sum(np.sin(2 * np.pi * 50 * h * t) for h in (1, 2, 3)) + 0.003 * hiss(maker.np_rng, count, 0.0)
        add("nospeech", audio.astype(np.float32), "", None)
    with open(f"{out}/refs.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(i) for i in items) + "\n]\n")
    size = sum(os.path.getsize(f"{out}/{f}") for f in os.listdir(out))
    print(f"{len(items)} clips, {sum(i['seconds'] for i in items):.0f} s, {size / 1e6:.2f} MB in {out}")


# The names in the clips to try, in the glossary's spelling, and their syllables.
SAMPLE_TERMS = {"Qavylow": ("kah", "vee", "low"), "Xamoetee": ("zah", "moh", "tee")}
GLOSSARY = "Glossary: Qavylow, Xamoetee."

# The clips to try: pauses (a seed), and who says what. "two_hundred|200." is said and written differently.
# Sentences, voices and seeds were tried until the model understood them.
SAMPLES = {
    "standup.flac": (1, [("rms", "We use Qavylow for the website."),
                         ("slt", "The migration to Xamoetee will take three weeks.")]),
    "voice-note.ogg": (1, [("slt", "Emma, can you update the budget by Friday?"),
                           ("slt", "The deadline is March fourteenth|14th.")]),
    "meeting.flac": (765, [
        ("rms", "Good afternoon, everyone."),
        ("rms", "Emma, what is the status of the website?"),
        ("slt", "We moved from Xamoetee to Qavylow."),
        ("slt", "The design team finished the login page yesterday."),
        ("slt", "We need four days to update the payment."),
        ("awb", "I have two questions about the budget."),
        ("rms", "The budget is forty_five_thousand_dollars|$45,000."),
        ("awb", "Xamoetee costs five_thousand_dollars|$5,000 a month."),
        ("rms", "Oscar, what is the status of the contract?"),
        ("awb", "The Xamoetee contract ends on June third|3rd."),
        ("slt", "There is a problem with Qavylow."),
        ("rms", "What about the pipeline?"),
        ("awb", "They have already fixed the pipeline."),
        ("slt", "We use Qavylow for the dashboard."),
        ("rms", "Who will review the dashboard?"),
        ("slt", "I'm going to finish the report next week."),
        ("awb", "I will review the dashboard on Monday."),
    ]),
}


def say(text: str) -> list[Piece]:
    """A sentence written by hand."""
    pieces = []
    for word in text.split():
        said, _, written = word.rpartition("|")
        name = written.rstrip(".,?")
        tail = written[len(name):]
        if name in SAMPLE_TERMS:
            term = jargon.invented(SAMPLE_TERMS[name])
            pieces.append(Piece(" ".join(term.syllables) + tail, term.canonical + tail, term, tail))
        else:
            pieces.append(Piece(said.replace("_", " ") + tail if said else word, written))
    return pieces


def make_sample(name: str) -> tuple[np.ndarray, dict]:
    """One of SAMPLES: its audio, and what is said in it."""
    seed, script = SAMPLES[name]
    rng = random.Random(seed)
    spelling = {jargon.invented(syllables).canonical: term for term, syllables in SAMPLE_TERMS.items()}
    talk = [(say(text), ("flite", voice)) for voice, text in script]
    gaps = [rng.uniform(0.6, 1.5) for _ in talk[1:]]
    audio, segments = place(talk, gaps, 0.4, 0.4, spelling)
    item = dict(file=name, seconds=round(len(audio) / RATE, 2), text=" ".join(s["text"] for s in segments), segments=segments)
    canonical = " ".join(written_text(pieces) for pieces, _ in talk)
    if canonical != item["text"]:
        item |= dict(prompt=GLOSSARY, terms=list(SAMPLE_TERMS), text_without_prompt=canonical)
    return audio, item


def make_samples(out: str) -> None:
    os.makedirs(out, exist_ok=True)
    items = []
    for name in SAMPLES:
        audio, item = make_sample(name)
        write_audio(f"{out}/{name}", audio)
        items.append(item)
    with open(f"{out}/refs.json", "w") as f:
        json.dump(items, f, indent=1)
        f.write("\n")
    print(out, [(i["file"], i["seconds"]) for i in items])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--out")
    parser.add_argument("--per-category", type=int, default=10)
    parser.add_argument("--sample")
    parser.add_argument("--seed", type=int, default=4242)
    args = parser.parse_args()
    if args.out:
        make_eval(Maker(args.work, args.seed), args.out, args.per_category)
    if args.sample:
        make_samples(args.sample)


if __name__ == "__main__":
    main()
