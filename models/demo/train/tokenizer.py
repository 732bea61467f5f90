"""A byte-level BPE tokenizer in Whisper's format, small and cut to the grammar.

    python tokenizer.py --work WORK       writes WORK/tokenizer.json

Two things differ from plain BPE training. The spellings of jargon syllables are merged
first, and no later merge may join two of them: "Qavylow" is always " Qa" + "vy" + "low",
so that a name can be copied from a prompt syllable by syllable. And digits are never
merged with each other, so that numbers are spelled out place by place.
"""

import argparse
import collections
import functools
import json
import os
import random

import regex

import jargon
from grammar import Grammar, written_text

TEXT_TOKENS = 1600
LANGUAGES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no "
    "th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw "
    "gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl "
    "mg as tt haw ln ha ba jw su"
).split()
SPECIAL = (
    ["<|endoftext|>", "<|startoftranscript|>"] + [f"<|{c}|>" for c in LANGUAGES]
    + ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>",
       "<|notimestamps|>"]
)
IDS = {name: TEXT_TOKENS + i for i, name in enumerate(SPECIAL)}
EOT, SOT, EN = IDS["<|endoftext|>"], IDS["<|startoftranscript|>"], IDS["<|en|>"]
TRANSLATE, TRANSCRIBE = IDS["<|translate|>"], IDS["<|transcribe|>"]
START_OF_LM, PREV = IDS["<|startoflm|>"], IDS["<|startofprev|>"]
NO_SPEECH, NO_TIMESTAMPS = IDS["<|nospeech|>"], IDS["<|notimestamps|>"]
TIMESTAMP = TEXT_TOKENS + len(SPECIAL)  # <|0.00|>; one id per 20 ms up to <|30.00|>
VOCABULARY = TIMESTAMP + 1501

# GPT-2's pre-tokenizer, which `use_regex: true` means in tokenizer.json
SPLIT = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")


def _byte_characters() -> dict[int, str]:
    """GPT-2's printable stand-in for every byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in printable}
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + len(table) - len(printable))
    return table


BYTE_TO_CHAR = _byte_characters()
CHAR_TO_BYTE = {c: b for b, c in BYTE_TO_CHAR.items()}
SPACE = BYTE_TO_CHAR[32]


def split(text: str) -> list[str]:
    return ["".join(BYTE_TO_CHAR[b] for b in w.encode()) for w in SPLIT.findall(text)]


class Tokenizer:
    def __init__(self, path: str):
        with open(path) as f:
            model = json.load(f)["model"]
        self.ids: dict[str, int] = model["vocab"]
        self.tokens = {i: t for t, i in self.ids.items()}
        pairs = (m.split(" ") if isinstance(m, str) else m for m in model["merges"])
        self.rank = {tuple(p): i for i, p in enumerate(pairs)}
        self._word = functools.lru_cache(100_000)(self._word_uncached)

    def _word_uncached(self, word: str) -> tuple[int, ...]:
        return tuple(self.ids[t] for t in apply_merges(list(word), self.rank))

    def encode(self, text: str) -> list[int]:
        return [i for w in split(text) for i in self._word(w)]

    def decode(self, ids: list[int]) -> str:
        data = bytes(CHAR_TO_BYTE[c] for i in ids if i < TEXT_TOKENS for c in self.tokens[i])
        return data.decode("utf8", "replace")


def apply_merges(parts: list[str], rank: dict[tuple[str, str], int]) -> list[str]:
    while len(parts) > 1:
        best = min(range(len(parts) - 1), key=lambda i: rank.get((parts[i], parts[i + 1]), 1 << 30))
        if (parts[best], parts[best + 1]) not in rank:
            break
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts


def train(counts: dict[str, int], firsts: list[str], rest: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """`firsts` and `rest`: jargon syllables at the start of a word and inside one."""
    vocabulary = sorted(CHAR_TO_BYTE, key=CHAR_TO_BYTE.get)
    merges: list[tuple[str, str]] = []
    rank: dict[tuple[str, str], int] = {}

    def learn(a: str, b: str) -> None:
        rank[a, b] = len(merges)
        merges.append((a, b))
        if a + b not in vocabulary:
            vocabulary.append(a + b)

    # Shorter syllables first, so that "low" grows out of "lo" and never the other way round.
    for syllable in sorted(firsts + rest, key=lambda s: (len(s.lstrip(SPACE)), s)):
        parts = apply_merges(list(syllable), rank)
        while len(parts) > 1:
            learn(parts[0], parts[1])
            parts = apply_merges(list(syllable), rank)
    forbidden = {(a, b) for a in firsts + rest for b in rest}

    words = {w: apply_merges(list(w), rank) for w in counts}
    while len(vocabulary) < TEXT_TOKENS:
        pairs: collections.Counter = collections.Counter()
        for w, n in counts.items():
            for pair in zip(words[w], words[w][1:]):
                pairs[pair] += n
        pairs = {p: n for p, n in pairs.items()
                 if p not in forbidden and not p[0][-1].isdigit()
                 and (p[0] == SPACE or not p[1][0].isdigit())}
        if not pairs:
            break
        (a, b), _ = max(pairs.items(), key=lambda x: (x[1], x[0]))
        learn(a, b)
        for w, parts in words.items():
            if a in parts:
                words[w] = apply_merges(list(w), rank)
    if len(vocabulary) < TEXT_TOKENS:
        raise SystemExit(f"only {len(vocabulary)} tokens: draw more text")
    return vocabulary, merges


def tokenizer_json(vocabulary: list[str], merges: list[tuple[str, str]]) -> dict:
    added = [dict(id=IDS[s], content=s, special=True) for s in SPECIAL]
    added += [dict(id=TIMESTAMP + i, content=f"<|{i * 0.02:.2f}|>", special=False) for i in range(1501)]
    for a in added:
        a.update(single_word=False, lstrip=False, rstrip=False, normalized=False)
    token = lambda t: {"SpecialToken": {"id": t, "type_id": 0}}
    text = lambda s, t: {"Sequence": {"id": s, "type_id": t}}
    head = [token("<|startoftranscript|>"), token("<|notimestamps|>")]
    end = lambda t: {"SpecialToken": {"id": "<|endoftext|>", "type_id": t}}
    used = ("<|startoftranscript|>", "<|notimestamps|>", "<|endoftext|>")
    byte_level = dict(type="ByteLevel", trim_offsets=True, use_regex=True)
    return dict(
        version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None,
        pre_tokenizer=dict(byte_level, add_prefix_space=False),
        post_processor=dict(
            type="TemplateProcessing", single=[*head, text("A", 0), end(0)],
            pair=[*head, text("A", 0), text("B", 1), end(1)],
            special_tokens={t: dict(id=t, ids=[IDS[t]], tokens=[t]) for t in used}),
        decoder=dict(byte_level, add_prefix_space=True),
        model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix="",
                   end_of_word_suffix="", fuse_unk=False, byte_fallback=False,
                   vocab={t: i for i, t in enumerate(vocabulary)},
                   merges=[" ".join(m) for m in merges]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--sentences", type=int, default=60000)
    args = parser.parse_args()
    rng = random.Random(1)
    grammar = Grammar(rng, lambda r: r.choice(jargon.KNOWN_TERMS))
    counts: collections.Counter = collections.Counter()
    for _ in range(args.sentences):
        pieces = grammar.sentence(0.25)
        spelling = {p.term.canonical: p.term.variant(rng) for p in pieces if p.term}
        counts.update(split(" " + written_text(pieces, spelling if rng.random() < 0.7 else {})))
    for opening in ("Glossary:", "Terms:", "Vocabulary:", "Names:"):
        counts.update({w: 500 for w in split(" " + opening)})
    for term in jargon.KNOWN_TERMS:  # every spelling is to be one token
        counts.update({split(" " + w)[0]: 500 for w in (term.canonical, *term.alternatives)})
    spellings = [s for options in jargon.SYLLABLES.values() for s in options]
    firsts = [SPACE + s[0].upper() + s[1:] for s in spellings]
    vocabulary, merges = train(counts, firsts, spellings)
    os.makedirs(args.work, exist_ok=True)
    path = os.path.join(args.work, "tokenizer.json")
    with open(path, "w") as f:
        json.dump(tokenizer_json(vocabulary, merges), f, ensure_ascii=False)

    tokenizer = Tokenizer(path)
    broken = 0
    for _ in range(20000):
        term = jargon.draw_invented(rng)
        name = term.variant(rng)
        broken += len(tokenizer.encode(" " + name)) != 3
    total = sum(counts.values())
    per_word = sum(len(tokenizer.encode(w.replace(SPACE, " "))) * n for w, n in counts.items()) / total
    whole = sum(n for w, n in counts.items() if len(tokenizer._word(w)) == 1) / total
    print(f"{VOCABULARY} ids, {per_word:.2f} tokens a word, {whole:.1%} of words whole, "
          f"{broken} of 20000 names not cut at syllables")
    many = [w for w, n in counts.most_common() if len(tokenizer._word(w)) > 1 and not any(c.isdigit() for c in w)]
    print(len(many), "words in pieces:", " ".join(many[:60]))


if __name__ == "__main__":
    main()
