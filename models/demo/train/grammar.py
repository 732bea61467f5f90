"""The only text the demo model ever sees: office talk made by one small grammar.

A sentence is a list of `Piece`s. A piece is what is said (`spoken`) next to how
Whisper would write it (`written`): "forty five thousand dollars," / "$45,000,".
Keeping the two side by side gives the time of every written word for free once
the synthesiser has told us when each spoken word was said.

The vocabulary is small on purpose (about 550 words): a model of 4.6 million
parameters that knows a narrow domain well is a better demonstration than one
that half-knows a wide one. Everything here was written for this project.
"""

import re
from dataclasses import dataclass, replace

from jargon import Term


@dataclass(frozen=True)
class Piece:
    """One written word and the word or words that are said for it.

    `term` is set for jargon; the spelling is then chosen when a training sample
    is put together, because it depends on that sample's prompt.
    """

    spoken: str
    written: str
    term: Term | None = None
    tail: str = ""  # what follows a term in the same word: "," or "'s" or "."


ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth",
            "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}

NAMES = (
    "Anna Ben Carlos Diana Emma Frank Grace Henry Jack Karen Leo Maria Nina Oscar "
    "Paul Rachel Sam Tom Victor Alice David Elena George Kevin Laura Oliver Peter "
    "Robert Sarah Lucy"
).split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = ("January February March April May June July August September October "
          "November December").split()
PLACES = ("London|Berlin|Paris|Madrid|Rome|Vienna|Boston|Chicago|Tokyo|Toronto|"
          "Amsterdam|New York").split("|")
TEAMS = ("sales|marketing|support|design|finance|legal|research|security|platform|"
         "product|data|testing").split("|")
THINGS = (
    "budget|report|contract|invoice|roadmap|release|server|database|website|proposal|"
    "schedule|document|presentation|ticket|feature|backup|network|dashboard|migration|"
    "test plan|build|pipeline|login page|mobile app|user guide|license|payment|survey|"
    "campaign|project plan|code review|status report|search page|meeting room|backlog|"
    "demo|password|account|price list|policy|newsletter|interview|workshop|training|"
    "office|laptop|printer|service|cluster|template|summary|spreadsheet|calendar|"
    "estimate|forecast|strategy|delivery|supplier|partner|client|customer|question|"
    "problem|idea|update|message|email|phone call|video|transcript|decision|deadline|"
    "milestone|result|product|story|action item"
).split("|")
ADJECTIVES = (
    "new|old|big|small|final|first|next|main|open|broken|slow|fast|early|late|"
    "important|urgent|simple|complex|clear|wrong|right|public|private|internal|weekly|"
    "monthly|annual|short|long|good|better|bad|cheap|expensive|current|missing|stable|"
    "safe|critical|shared|empty|ready|different|technical"
).split("|")
PAST = (
    "finished|reviewed|updated|checked|approved|closed|opened|tested|deployed|fixed|"
    "moved|changed|started|canceled|postponed|shared|signed|sent|published|merged|"
    "discussed|prepared|presented|delayed|completed|removed|added|created|planned|"
    "improved|replaced|rejected|ordered|found|lost|wrote|read|missed|confirmed|cleaned|"
    "saved|designed"
).split("|")
VERBS = (
    "finish|review|update|check|approve|close|open|test|deploy|fix|move|change|start|"
    "cancel|postpone|share|sign|send|publish|merge|discuss|prepare|present|complete|"
    "remove|add|create|plan|improve|replace|reject|order|find|write|read|confirm|clean|"
    "save|design|keep|follow|support|compare|protect"
).split("|")
WHEN = (
    "today|tomorrow|yesterday|this morning|this afternoon|this week|next week|last week|"
    "next month|last month|this quarter|right now|again|soon|later|before lunch|"
    "after lunch|before the meeting|after the meeting|by the end of the day|"
    "as soon as possible|on time|every day|every week|in two weeks|in an hour|next year"
).split("|")
OPENERS = ("Okay,|So,|Well,|Yes,|No,|Thanks,|All right,|Great,|Actually,|Also,|"
           "By the way,|Good morning,|Hello,|Sorry,|Now,").split("|")

FIXED = """Good morning, everyone.|Good afternoon, everyone.|Thank you for joining.
Thank you very much.|Thanks, everyone.|Can you hear me?|Let's get started.|Let's move on.
Let's take a short break.|Any questions?|Are there any questions?|That sounds good.
That's all from me.|I agree.|I disagree.|I don't think so.|I think so.|No, not yet.
Yes, of course.|You're on mute.|Could you repeat that, please?|Let me share my screen.
Can everyone see my screen?|We're almost out of time.|I'll send the notes after the meeting.
What's the status?|Who is next?|Nothing from my side.|I have no blockers.
I'm blocked by the review.|See you tomorrow.|See you next week.|Have a nice day.
Have a great weekend.|Goodbye.|What do you think?|How long will it take?
Who owns this task?|When is the deadline?|Where is the document?|Why did the build fail?
It works on my machine.|We have a problem.|This is very important.|I will call you back.
Please send me an email.|Please check your email.|The meeting is over.
The meeting starts now.|Welcome to the team.|That's a good question.|That's a good point.
Let me check.|One moment, please.|I'm not sure.|Let's wait and see.|We need more time.
We need more people.|We are on track.|Everything is fine.|Nothing has changed.
Hello, world.|This is a test.|Testing, one, two, three.|How are you today?
I'm fine, thank you.|My name is Anna.|Nice to meet you.|Lunch is ready."""
FIXED = [s for line in FIXED.split("\n") for s in line.split("|")]

PLAIN = """We should {v} the {x} {w}.|{n} {p} the {x} {w}.|{n} will {v} the {x} on {d}.
The {x} is {a}.|The {x} was {p} by {n}.|Can you {v} the {x} {w}?|Please {v} the {x} by {d}.
I {p} the {x} and {p} the {x}.|Yesterday I {p} the {x}.|Today I will {v} the {x}.
The {t} team {p} the {x} {w}.|The {t} team needs {c} more people.|We need {c} days to {v} the {x}.
The budget is {m}.|We spent {m} on the {x}.|The {x} will cost {m}.|Revenue grew by {pc} in {q}.
Sales fell by {pc} {w}.|The deadline is {dt}.|The meeting is on {d} at {h}.
Let's meet at {h} on {d}.|Let's meet in {l} on {dt}.|{n} is flying to {l} on {d}.
The {l} office is {a}.|Our {l} office has {c} people.|We plan to {v} the {x} in {mo} {y}.
We have {c} open tickets.|{tk} is still open.|{tk} is {a}.|The server returned {err}.
We will release {ver} on {d}.|{ver} has a {a} problem.|About {pc} of the users saw the {x}.
Only {pc} of the tests passed.|{c} out of {c} tests failed.|I think the {x} is too {a}.
I don't know who {p} the {x}.|Did {n} {v} the {x}?|Who will {v} the {x}?
When will {n} {v} the {x}?|Where is the {a} {x}?|Why is the {x} so {a}?
How can we {v} the {x}?|What about the {x}?|{n} and {n} are working on the {x}.
{n}, can you {v} the {x}?|{n}, what is the status of the {x}?|{n} asked {n} to {v} the {x}.
{n} is on vacation until {dt}.|{n} is out of the office {w}.|My next task is to {v} the {x}.
I'm going to {v} the {x} {w}.|We're going to {v} the {x} because the {x} is {a}.
If the {x} is {a}, we should {v} it.|After the {x} was {p}, {n} {p} the {x}.
Before we {v} the {x}, let's {v} the {x}.|The customer wants a {a} {x}.
There is a problem with the {x}.|There are {c} problems with the {x}.
It took {c} hours to {v} the {x}.|The call starts at {h}.|I have {c} questions about the {x}.
The price went up from {m} to {m}.|We hired {c} people in {mo}.|The contract ends on {dt}.
Let's {v} the {x} and then {v} the {x}.|Don't {v} the {x} {w}.
We can't {v} the {x} without the {x}.|The {x} isn't {a} yet.|They have already {p} the {x}.
She has {p} the {x} {w}.|He wants to {v} the {x} {w}.|It's time to {v} the {x}.
Our goal for {q} is to {v} the {x}.|In {mo}, we {p} the {x} for {m}.
Make sure the {x} is {a}.|Remember to {v} the {x}.|You should {v} the {x} first.
{n} from the {t} team {p} the {x}.|{n} from {l} will join the {t} team in {mo}."""
PLAIN = [s for line in PLAIN.split("\n") for s in line.split("|")]

JARGON = """We should {v} {j} {w}.|{n} {p} the {j} {x} {w}.|The {j} {x} is {a}.
The {x} runs on {j}.|We use {j} for the {x}.|We moved from {j} to {j}.|{n} works at {j}.
{n} from {j} {p} the {x}.|Let's deploy {j} on {d}.|The {j} team {p} the {x}.
The {j} contract ends on {dt}.|{j} is {a}.|{j} and {j} are {a}.|Please {v} the {j} {x} by {d}.
Can you {v} {j} {w}?|We pay {m} for {j}.|{j} costs {m} a month.|{j} failed with {err}.
We need {j} {ver}.|I talked to {j} about the {x}.|Did you try {j}?
The meeting with {j} is on {d} at {h}.|{n} will present {j} in {l}.|There is a problem with {j}.
{pc} of our users use {j}.|Our client {j} wants a {a} {x}.|Add {j} to the {x}.|{n} knows {j} very well.
Open {tk} in {j}.|What is {j}?|Who owns {j}?|Is {j} {a}?|The migration to {j} will take {c} weeks.
Our partner {j} is in {l}.|After lunch, {n} will {v} {j}.|The new {j} release is {a}."""
JARGON = [s for line in JARGON.split("\n") for s in line.split("|")]


def number(n: int) -> str:
    """`n` in English words, 0 to 999,999."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + (f" {ONES[n % 10]}" if n % 10 else "")
    if n < 1000:
        return f"{ONES[n // 100]} hundred" + (f" {number(n % 100)}" if n % 100 else "")
    return f"{number(n // 1000)} thousand" + (f" {number(n % 1000)}" if n % 1000 else "")


def ordinal(n: int) -> str:
    *head, last = number(n).split()
    last = ORDINALS.get(last, last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join([*head, last])


def ordinal_suffix(n: int) -> str:
    return "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def words(text: str) -> list[Piece]:
    return [Piece(w, w) for w in text.split()]


class Grammar:
    """Draws sentences. `rng` is a `random.Random`, `terms(rng)` draws a jargon term."""

    def __init__(self, rng, terms):
        self.rng = rng
        self.terms = terms

    # -- slots -----------------------------------------------------------------

    def count(self) -> list[Piece]:
        n = self.rng.choice([self.rng.randint(2, 9), self.rng.randint(10, 99)])
        # Whisper writes digits from ten on and words below.
        return [Piece(number(n), number(n) if n < 10 else str(n))]

    def money(self) -> list[Piece]:
        k = self.rng.random()
        if k < 0.35:
            n = self.rng.randint(2, 99) * 10
        elif k < 0.85:
            n = self.rng.randint(1, 99) * 1000
        else:
            n = self.rng.randint(2, 20)
            return [Piece(number(n), f"${n}"), Piece("million dollars", "million")]
        return [Piece(f"{number(n)} dollars", f"${n:,}")]

    def percent(self) -> list[Piece]:
        n = self.rng.choice([self.rng.randint(2, 99), self.rng.randint(1, 20) * 5])
        return [Piece(f"{number(n)} percent", f"{n}%")]

    def date(self) -> list[Piece]:
        n, month = self.rng.randint(1, 31), self.rng.choice(MONTHS)
        return [Piece(month, month), Piece(ordinal(n), f"{n}{ordinal_suffix(n)}")]

    def clock(self) -> list[Piece]:
        hour = self.rng.randint(1, 12)
        if self.rng.random() < 0.5:
            return [Piece(number(hour), str(hour)), Piece("o'clock", "o'clock")]
        minute = self.rng.choice([10, 15, 20, 30, 40, 45, 50])
        return [Piece(f"{number(hour)} {number(minute)}", f"{hour}:{minute}")]

    def year(self) -> list[Piece]:
        y = self.rng.randint(2010, 2035)
        return [Piece(f"twenty {number(y - 2000)}", str(y))]

    def version(self) -> list[Piece]:
        a, b = self.rng.randint(1, 12), self.rng.randint(0, 9)
        return [*words("version"), Piece(f"{number(a)} point {number(b)}", f"{a}.{b}")]

    def error(self) -> list[Piece]:
        n = self.rng.choice([200, 301, 400, 401, 403, 404, 500, 502, 503])
        return [*words("error"), Piece(number(n), str(n))]

    def ticket(self) -> list[Piece]:
        n = self.rng.randint(10, 999)
        return [*words("ticket"), Piece(number(n), str(n))]

    def slot(self, key: str) -> list[Piece]:
        choose = self.rng.choice
        if key == "j":
            term = self.terms(self.rng)
            return [Piece(term.spoken(self.rng), term.canonical, term)]
        if key == "x":
            adjective = words(choose(ADJECTIVES)) if self.rng.random() < 0.25 else []
            return adjective + words(choose(THINGS))
        lists = {"n": NAMES, "d": DAYS, "mo": MONTHS, "t": TEAMS, "a": ADJECTIVES,
                 "v": VERBS, "p": PAST, "l": PLACES, "w": WHEN}
        if key in lists:
            return words(choose(lists[key]))
        if key == "q":
            return words("quarter " + number(self.rng.randint(1, 4)))
        return {"c": self.count, "m": self.money, "pc": self.percent, "dt": self.date,
                "h": self.clock, "y": self.year, "ver": self.version, "err": self.error,
                "tk": self.ticket}[key]()

    # -- sentences ---------------------------------------------------------------

    def fill(self, template: str) -> list[Piece]:
        out: list[Piece] = []
        for word in template.split():
            slot = re.fullmatch(r"\{([a-z]+)\}(\W*)", word)
            if not slot:
                out.append(Piece(word, word))
                continue
            pieces, mark = self.slot(slot[1]), slot[2]
            last = pieces[-1]
            pieces[-1] = replace(last, spoken=last.spoken + mark,
                                 written=last.written + mark, tail=last.tail + mark)
            out += pieces
        return articles(capitalise(out))

    def plain(self) -> list[Piece]:
        if self.rng.random() < 0.08:
            return words(self.rng.choice(FIXED))
        return self.opened(self.fill(self.rng.choice(PLAIN)))

    def jargon(self) -> list[Piece]:
        return self.opened(self.fill(self.rng.choice(JARGON)))

    def sentence(self, jargon_share: float) -> list[Piece]:
        return self.jargon() if self.rng.random() < jargon_share else self.plain()

    def opened(self, pieces: list[Piece]) -> list[Piece]:
        """Now and then "So," or "By the way," in front."""
        if self.rng.random() >= 0.06:
            return pieces
        first = pieces[0]
        keeps_capital = (first.term is not None or first.written.startswith("I")
                         or first.written.rstrip(",") in NAMES + MONTHS)
        if not keeps_capital:
            first = replace(first, spoken=first.spoken[0].lower() + first.spoken[1:],
                            written=first.written[0].lower() + first.written[1:])
        return words(self.rng.choice(OPENERS)) + [first] + pieces[1:]


def capitalise(pieces: list[Piece]) -> list[Piece]:
    first = pieces[0]
    if first.term is None:
        first = replace(first, written=first.written[0].upper() + first.written[1:])
    return [first, *pieces[1:]]


def articles(pieces: list[Piece]) -> list[Piece]:
    """"a" becomes "an" before a vowel; the grammar's words follow the spelling rule."""
    out = list(pieces)
    for i in range(len(out) - 1):
        following = out[i + 1]
        if out[i].written in ("a", "A") and following.term is None and following.written[0] in "aeiouAEIOU":
            out[i] = replace(out[i], spoken=out[i].spoken + "n", written=out[i].written + "n")
    return out


def spoken_text(pieces: list[Piece]) -> str:
    return " ".join(p.spoken for p in pieces)


def written_words(pieces: list[Piece], spelling: dict[str, str] | None = None) -> list[str]:
    """The written words; `spelling` maps a term's canonical form to the wanted one."""
    spelling = spelling or {}
    return [p.written if p.term is None
            else spelling.get(p.term.canonical, p.term.canonical) + p.tail for p in pieces]


def written_text(pieces: list[Piece], spelling: dict[str, str] | None = None) -> str:
    return " ".join(written_words(pieces, spelling))
