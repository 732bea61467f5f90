"""Invented company and product names whose spelling cannot be heard.

Every name has one sound and several spellings: "Kavilo" may as well be "Qavylow".
Without a prompt the model writes the canonical spelling; with `Glossary: Qavylow`
in the prompt it must copy the prompt's spelling. That is what the initial prompt
of Whisper is for, in the smallest form that can be learned in an hour.

Copying is made easy in three ways: names are chains of a few common syllables,
each spelling of a syllable is one token (see tokenizer.py), and a syllable is
said the same way whatever its spelling.
"""

import random
from dataclasses import dataclass

# sound as said to the synthesiser: spellings, the canonical one first
SYLLABLES = {
    "kah": ("ka", "ca", "qa"),
    "koh": ("ko", "co", "qo"),
    "vee": ("vi", "vy", "vee"),
    "low": ("lo", "low", "loh"),
    "zee": ("zi", "xi", "zy"),
    "zah": ("za", "xa", "zah"),
    "roo": ("ru", "roo", "rou"),
    "rah": ("ra", "rha", "rah"),
    "mee": ("mi", "my", "mee"),
    "moh": ("mo", "moe", "mow"),
    "tah": ("ta", "tha", "tah"),
    "tee": ("ti", "ty", "tee"),
    "noo": ("nu", "noo", "new"),
    "nee": ("ni", "ny", "nee"),
    "see": ("si", "cy", "see"),
    "fah": ("fa", "pha", "fah"),
    "fee": ("fi", "phi", "fy"),
    "doo": ("du", "doo", "dou"),
    "lah": ("la", "lha", "lah"),
    "bay": ("bey", "bay", "bei"),
}

# names known as a whole: canonical spelling, then others that sound the same
KNOWN = """Zentrix Xentrix Zentryx|Korvex Qorvex Corvex|Delfin Delphin Delfyn
Orbik Orbiq Orbyc|Lumenta Loomenta Lumentha|Klarion Clarion Qlarion|Falkor Phalcor Falcor
Sintra Cyntra Syntra|Kwantel Quantel Qwantel|Nimbus Nymbus Nimbuss|Trelix Trellix Trelyx
Grendel Grendell Ghrendel|Aksion Axion Axyon|Prisma Pryzma Prizma|Heliks Helix Helyx
Magnus Magnuss Maggnus|Stratus Strattus Stratuss|Kestrel Qestrel Cestrel
Piksel Pixel Pyxel|Sonik Sonyc Soniq|Feniks Phoenix Fenyx|Kraken Craken Qraken
Kobalt Cobalt Qobalt|Argus Arghus Arguss|Kontur Contour Qontur|Kubrik Qubrik Cubrick
Brintel Bryntel Brintell|Vektra Vectra Veqtra|Kendor Qendor Cendor|Jorvik Jorviq Jorvyc"""


@dataclass(frozen=True)
class Term:
    """A name: its canonical spelling, and either whole alternatives or syllables."""

    canonical: str
    alternatives: tuple[str, ...] = ()
    syllables: tuple[str, ...] = ()

    def spoken(self, rng: random.Random) -> str:
        """Mostly syllable by syllable, so that each sounds alike in every name; now and then
        as the synthesiser reads the canonical spelling, so that this is understood too."""
        if self.syllables and rng.random() < 0.85:
            return " ".join(self.syllables)
        return self.canonical

    def variant(self, rng: random.Random) -> str:
        """A spelling other than the canonical one."""
        if self.alternatives:
            return rng.choice(self.alternatives)
        while True:
            name = "".join(rng.choice(SYLLABLES[s]) for s in self.syllables)
            name = name[0].upper() + name[1:]
            if name != self.canonical:
                return name


def invented(syllables: tuple[str, ...]) -> Term:
    name = "".join(SYLLABLES[s][0] for s in syllables)
    return Term(name[0].upper() + name[1:], syllables=syllables)


KNOWN_TERMS = [Term(w[0], alternatives=tuple(w[1:]))
               for w in (e.split() for e in KNOWN.replace("\n", "|").split("|"))]


def is_held_out(term: Term) -> bool:
    """One syllable chain in sixteen is kept for evaluation and never trained on.

    A fixed arithmetic rule, not a list, so that no script can get it wrong.
    """
    if not term.syllables:
        return False
    order = list(SYLLABLES)
    first, second, third = (order.index(s) for s in term.syllables)
    return (first + 3 * second + 7 * third) % 16 == 5


def draw_invented(rng: random.Random, held_out: bool = False) -> Term:
    while True:
        term = invented(tuple(rng.sample(list(SYLLABLES), 3)))
        if is_held_out(term) == held_out:
            return term


def draw_term(rng: random.Random) -> Term:
    """A term for training."""
    return rng.choice(KNOWN_TERMS) if rng.random() < 0.35 else draw_invented(rng)


def draw_held_out(rng: random.Random) -> Term:
    return draw_invented(rng, held_out=True)
