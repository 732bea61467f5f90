# Writes test/fixtures/formats/ with openai/whisper's own writers. See README.md beside this file.
import argparse
import json
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parents[1] / "fixtures" / "formats"


def segment(id, start, end, text, words=None, **fields):
    made = {
        "id": id,
        "seek": 0,
        "start": start,
        "end": end,
        "text": text,
        "tokens": [50364, 400 + id, 11, 50414],
        "temperature": 0.0,
        "avg_logprob": -0.2871093750000001,
        "compression_ratio": 1.0491803278688525,
        "no_speech_prob": 0.011,
        **fields,
    }
    if words is not None:
        made["words"] = words
    return made


def result(segments, language="en"):
    return {"text": "".join(s["text"] for s in segments), "segments": segments, "language": language}


def timed(text, start, step=0.31, pauses=(), probability=0.93):
    """Words of `text`, one every `step` seconds; `pauses` holds (word index, seconds before it)."""
    words = []
    for i, word in enumerate(text.split(" ")[1:]):
        start += dict(pauses).get(i, 0.0)
        end = start + step
        words.append(
            {"word": " " + word, "start": round(start, 2), "end": round(end, 2), "probability": probability - i / 100}
        )
        start = end
    return words


def with_words(id, text, start, **how):
    words = timed(text, start, **how)
    return segment(id, words[0]["start"], words[-1]["end"], text, words)


PLAIN = result(
    [
        segment(0, 0.0, 2.36, " The release of Earshot moves to Thursday."),
        segment(1, 2.36, 5.0, " Alice checks the queue, Bob the database.", seek=0),
        segment(2, 5.0, 29.98, " Anything else?", temperature=0.2, no_speech_prob=0.0000321),
        segment(3, 31.5, 33.0, " No.", seek=2998, temperature=0.6000000000000001, avg_logprob=-1.0),
    ]
)

WORDS = result(
    [
        with_words(0, " The release of Earshot moves to Thursday, October 2nd.", 0.42, step=0.29),
        with_words(1, " Alice checks the queue; Bob, who is new here, checks the database.", 4.0, step=0.24),
        segment(2, 8.0, 8.0, "", []),
        with_words(3, " Wait — is that right?", 8.4, pauses=[(1, 3.4), (3, 0.2)]),
        with_words(4, " Antidisestablishmentarianism isn't short 😀😀😀 müßig.", 15.1, step=0.5),
        segment(
            5,
            18.0,
            20.0,
            " \"Quoted\" word-pair",
            [
                {"word": ' "Quoted"', "start": 18.0, "end": 18.6, "probability": 0.5},
                {"word": " word", "start": 18.6, "end": 19.0, "probability": 0.000025},
                {"word": "-pair", "start": 19.0, "end": 19.0, "probability": 1.0},
            ],
        ),
        with_words(6, " Last line after an hour.", 3661.5, step=0.2),
    ]
)

AWKWARD = result(
    [
        segment(0, 0.0, 0.0005, "\tTabs\there\tand there \t"),
        segment(1, 0.0025, 0.0035, " An arrow --> and ---> and <-- and -->"),
        segment(2, 1.0005, 1.9995, " Two\nlines\r\nof text\n"),
        segment(3, 1.9995, 1.9995, ""),
        segment(4, 2.5, 2.6, "   "),
        segment(5, 59.9994, 59.9996, "  leading and trailing   ", compression_ratio=0.7272727272727273),
        segment(6, 60.0, 3599.9999, " 日本語と emoji 👩‍👩‍👧‍👦 e\u0301 and ﬁ"),
        segment(7, 3600.0, 3661.2345, ' Quotes " and \\ and / and \x7f and \b\f\x01'),
        segment(8, 35999.9996, 360001.0, "\u3000ideographic and no-break space\u00a0"),
        segment(9, 360001.0, 360002.5, "\ufeffbyte order mark, line\u2028and paragraph\u2029separators"),
        segment(10, 360002.5, 360003.5, "\x1c\x1d\x1e\x1f\x85 information separators and next line\x85\x1f"),
        segment(11, 360003.5, 360004.5, "\u200bzero width space\u200b <b>&amp;</b>"),
        segment(12, 360005.0, 360006.0, " small numbers", no_speech_prob=1.25e-07, avg_logprob=-4.5e-06),
        segment(13, 360006.0, 360007.0, " smaller", no_speech_prob=9e-12, avg_logprob=-0.0001, temperature=1.0),
    ],
    language="ja",
)

AWKWARD_WORDS = result(
    [
        segment(0, 0.0, 0.0, "", []),
        segment(
            1,
            1.0,
            3.0,
            " a --> b\tc",
            [
                {"word": " a", "start": 1.0, "end": 1.2, "probability": 0.9},
                {"word": " -->", "start": 1.2, "end": 1.2, "probability": 0.9},
                {"word": " b\tc", "start": 1.2, "end": 1.8, "probability": 0.9},
                {"word": "", "start": 1.8, "end": 1.9, "probability": 0.9},
                {"word": " ", "start": 1.9, "end": 2.0, "probability": 0.9},
                {"word": " one\ntwo", "start": 2.0, "end": 2.4, "probability": 0.9},
                {"word": " end\n", "start": 2.4, "end": 2.6, "probability": 0.9},
                {"word": " \u00a0$1 \\1 $&", "start": 2.6, "end": 3.0, "probability": 0.9},
            ],
        ),
        segment(2, 3.0, 3.4, "\ufeffbom\x1f", [{"word": "\ufeffbom\x1f", "start": 3.0, "end": 3.4, "probability": 0.9}]),
    ]
)

RESULTS = {
    "empty": result([]),
    "plain": PLAIN,
    "words": WORDS,
    "awkward": AWKWARD,
    "awkward_words": AWKWARD_WORDS,
}

VARIANTS = [
    {"highlight_words": True},
    {"max_words_per_line": 1},
    {"max_words_per_line": 4},
    {"max_line_width": 20},
    {"max_line_width": 42, "max_line_count": 1},
    {"max_line_width": 16, "max_line_count": 2},
    {"max_line_count": 2},
    {"max_line_width": 24, "max_line_count": 2, "highlight_words": True},
    {"max_words_per_line": 3, "highlight_words": True},
    {"max_line_width": 20, "max_words_per_line": 2},
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--whisper", help="folder that holds openai's package `whisper`; default: the one installed")
    if folder := parser.parse_args().whisper:
        sys.path.insert(0, folder)
    from whisper.utils import get_writer

    OUT.mkdir(parents=True, exist_ok=True)
    cases = []

    def write(name, formats, options):
        for output_format in formats:
            label = ".".join([name, *(f"{key}={value}" for key, value in options.items())])
            get_writer(output_format, str(OUT))(RESULTS[name], f"{label}.wav", dict(options))
            file = f"{label}.{output_format}"
            cases.append({"result": name, "format": output_format, "options": options, "file": file})

    # get_writer takes a file name apart at its last dot, which is why labels may hold dots.
    for name in RESULTS:
        write(name, ["txt", "vtt", "srt", "tsv", "json"], {})
    for name in ["words", "awkward_words"]:
        for options in VARIANTS:
            write(name, ["vtt", "srt"], options)

    lines = ",\n".join(json.dumps(case) for case in cases)
    (OUT / "cases.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
