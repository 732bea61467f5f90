"""Figures of a checkpoint on a set made by make_eval.py, category by category.

    python evaluate.py --work WORK --checkpoint WORK/run.pt --set models/demo/eval
"""

import argparse
import collections
import json
import re
import statistics

import torch

from check_onnx import read_audio
from decode import Decoder, load
from features import recording_windows_features
from tokenizer import EOT, Tokenizer


def normal_words(text: str) -> list[str]:
    text = re.sub(r"(\d),(\d)", r"\1\2", text.lower())
    return [w.strip(".") for w in re.sub(r"[^a-z0-9$%':. ]+", " ", text).split() if w.strip(".")]


def word_errors(reference: str, heard: str) -> tuple[int, int]:
    """Word edit distance, and the number of words in the reference."""
    a, b = normal_words(reference), normal_words(heard)
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[:], i
        for j, y in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
    return row[-1], len(a)


def contains(text: str, term: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(term)}(?!\w)", text) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--set", required=True)
    parser.add_argument("--limit", type=int, default=10**9, help="clips per category")
    parser.add_argument("--only", help="categories, with commas")
    parser.add_argument("--show", action="store_true", help="print every clip that is not right")
    args = parser.parse_args()
    torch.set_num_threads(1)
    decoder = Decoder(load(args.checkpoint), Tokenizer(f"{args.work}/tokenizer.json"))
    with open(f"{args.set}/refs.json") as f:
        items = json.load(f)
    figures: dict = collections.defaultdict(collections.Counter)
    times: dict = collections.defaultdict(list)
    for item in items:
        name = item["category"]
        if args.only and name not in args.only.split(","):
            continue
        c = figures[name]
        if c["clips"] >= args.limit:
            continue
        c["clips"] += 1
        audio = read_audio(f"{args.set}/{item['file']}")
        segments, decoded = decoder.transcribe(audio)
        heard = " ".join(s.text.strip() for s in segments)
        c["english"] += all(d.language == "en" for d in decoded)
        if name == "nospeech":
            c["silent"] += heard == ""
            c["no_speech_high"] += all(d.no_speech > 0.6 for d in decoded)
            plain = decoder.decode(decoder.encode(recording_windows_features(audio)), timestamps=False)
            c["silent_plain"] += plain.no_speech > 0.6 and plain.mean_log_probability < -1.0
            if heard or args.show:
                print(item["file"], repr(heard), [round(d.no_speech, 2) for d in decoded])
            continue
        c["judged_speech"] += all(d.no_speech < 0.6 for d in decoded)
        errors, words = word_errors(item["text"], heard)
        c["errors"] += errors
        c["words"] += words
        c["exact"] += heard == item["text"]
        if args.show and errors:
            print(item["file"], item["voice"], "|", item["text"], "|", heard)
        if "prompt" in item:
            prompted = " ".join(s.text.strip() for s in decoder.transcribe(audio, item["prompt"])[0])
            without = item["prompt_without"]
            other = " ".join(s.text.strip() for s in decoder.transcribe(audio, without)[0]) if without else heard
            c["term_without"] += contains(heard, item["term"])
            c["term_with"] += contains(prompted, item["term"])
            c["canonical_without"] += contains(heard, item["canonical"])
            c["term_from_distractors"] += contains(other, item["term"])
            c["leaks"] += any(contains(other, t) or contains(prompted, t) for t in item["others"])
            e, w = word_errors(item["text_prompted"], prompted)
            c["prompted_errors"] += e
            c["prompted_words"] += w
            if args.show and (e or item["term"] not in prompted):
                print(item["file"], item["voice"], item["prompt"], "|", item["text_prompted"], "|", prompted)
        if "segments" in item:
            c["segments"] += len(item["segments"])
            for wanted in item["segments"]:
                near = [s for s in segments if abs(s.start - wanted["start"]) < 1.0]
                if near:
                    s = min(near, key=lambda s: abs(s.start - wanted["start"]))
                    times["start"].append(abs(s.start - wanted["start"]))
                    times["end"].append(abs(s.end - wanted["end"]))
                    c["matched"] += 1
            c["right_count"] += len(segments) == len(item["segments"])
            if len(audio) <= 480000 and errors == 0:
                tokens = [t for s in segments for t in s.tokens if t < EOT]
                found = decoder.word_times(recording_windows_features(audio), tokens)
                truth = [w for s in item["segments"] for w in s["words"]]
                if len(found) == len(truth):
                    times["word start"] += [abs(a - w[1]) for (_, a, _), w in zip(found, truth)]
                    times["word end"] += [abs(b - w[2]) for (_, _, b), w in zip(found, truth)]
    total = sum((c for n, c in figures.items() if n in ("clean", "multi", "jargonknown", "jargonnew")), collections.Counter())
    for name, c in figures.items():
        line = f"{name:12s} {c['clips']} clips, english {c['english']}"
        if name == "nospeech":
            print(line, f"no text {c['silent']}, no-speech > 0.6 {c['no_speech_high']}, skipped without timestamps {c['silent_plain']}")
            continue
        line += f", WER {c['errors'] / c['words']:.1%}, exact {c['exact']}, judged speech {c['judged_speech']}"
        if c["prompted_words"]:
            n = c["clips"]
            line += (f" | with glossary WER {c['prompted_errors'] / c['prompted_words']:.1%}; wanted spelling {c['term_without']}/{n} "
                     f"without, {c['term_with']}/{n} with glossary; canonical without {c['canonical_without']}/{n}; "
                     f"glossary without the term {c['term_from_distractors']}/{n}; leaks {c['leaks']}/{n}")
        if c["segments"]:
            line += f" | segments found {c['matched']}/{c['segments']}, right number in {c['right_count']}/{c['clips']}"
        print(line)
    print(f"WER of all but noisy {total['errors'] / max(1, total['words']):.1%}")
    for name, values in times.items():
        near = sum(v <= (0.2 if "word" not in name else 0.1) for v in values) / len(values)
        print(f"{name}: median error {statistics.median(values) * 1000:.0f} ms, mean {statistics.mean(values) * 1000:.0f} ms, "
              f"within {'100' if 'word' in name else '200'} ms {near:.0%} of {len(values)}")


if __name__ == "__main__":
    main()
