# Writes test/fixtures/golden/ with openai/whisper's own Python on a model's weights. See README.md beside this file.
import argparse
import hashlib
import json
import random
import statistics
import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "test" / "fixtures" / "speech"
OUT = ROOT / "test" / "fixtures" / "golden"

arguments = argparse.ArgumentParser()
arguments.add_argument("--whisper", help="folder that holds openai's package `whisper`; default: the one installed")
arguments.add_argument("--model", type=Path, default=ROOT / "models" / "demo")
arguments.add_argument("--weights", type=Path, help="float16 or float32 weights; default: model.safetensors in --model")
arguments.add_argument("--out", type=Path, default=OUT)
args = arguments.parse_args()
if args.whisper:
    sys.path.insert(0, args.whisper)

import numpy as np
import torch
import whisper
from near_ties import TIE, NearTies
from reference import load_reference
from tokenizer_strings import tokenizer_strings
from whisper.audio import N_FRAMES, N_SAMPLES, load_audio, log_mel_spectrogram, pad_or_trim
from whisper.tokenizer import get_tokenizer


def remembered(encode):
    """The same window is listened to under many options."""
    known = {}

    def look_up(mel):
        key = hashlib.sha256(mel.numpy().tobytes()).digest()
        if key not in known:
            known[key] = encode(mel)
        return known[key].clone()

    return look_up


# One thread: the sums have one order, and a second one is no faster at these sizes.
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
warnings.filterwarnings("ignore", message="FP16 is not supported on CPU")
warnings.filterwarnings("ignore", message="Word-level timestamps on translations")
model = load_reference(args.model, args.weights or args.model / "model.safetensors")
model.encoder.forward = remembered(model.encoder.forward)
refs = json.loads((SPEECH / "refs.json").read_text())
files = [ref["file"] for ref in refs]
prompts = {ref["file"]: ref["prompt"] for ref in refs if "prompt" in ref}
multi = [ref["file"] for ref in refs if ref["cat"] == "multi"]


def audio_of(file):
    return load_audio(str(SPEECH / file))


def rounded(values, digits):
    return [round(float(v), digits) for v in np.asarray(values).flatten()]


def save(name, made):
    """One case per line, so that a change shows which cases it touched."""
    args.out.mkdir(parents=True, exist_ok=True)

    def line(value):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    parts = []
    for key, value in made.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            parts.append(f"{line(key)}:[\n" + ",\n".join(map(line, value)) + "\n]")
        else:
            parts.append(f"{line(key)}:{line(value)}")
    path = args.out / f"{name}.json"
    path.write_text("{" + ",\n".join(parts) + "}\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def made_from():
    kept = ["config.json", "generation_config.json", "tokenizer.json", "preprocessor_config.json"]
    paths = [args.model / name for name in kept] + sorted((args.model / "onnx").glob("*.onnx*"))
    return {
        "whisper": whisper.__version__,
        "torch": torch.__version__,
        "sha256": {path.relative_to(args.model).as_posix(): sha256(path) for path in paths},
    }


# ---- tensors

@torch.no_grad()
def tensors():
    def mel_of(file, n_mels=model.dims.n_mels):
        return log_mel_spectrogram(audio_of(file), n_mels, padding=N_SAMPLES)

    def window_of(file):
        return pad_or_trim(mel_of(file), N_FRAMES)

    mels = []
    for file, n_mels in [("clean_003.flac", 80), ("noisy_004.flac", 80), ("multi_000.flac", 80), ("clean_003.flac", 128)]:
        mel = mel_of(file, n_mels)
        content = mel.shape[1] - N_FRAMES
        # Both ends of the speech, where the padding is seen, and 16 frames between them.
        frames = sorted({0, 1, 2, content - 2, content - 1, content, content + 1, mel.shape[1] - 1}
                        | set(np.linspace(3, content - 3, 16).astype(int).tolist()))
        values = [rounded(mel[:, frame], 5) for frame in frames]
        mels.append({"file": file, "nMels": n_mels, "contentFrames": content, "frames": frames, "values": values})

    encoder = []
    for file in ["clean_003.flac", "multi_000.flac"]:
        features = model.encoder(window_of(file)[None])[0]
        positions = [*range(8), *np.linspace(10, model.dims.n_audio_ctx - 1, 32).astype(int).tolist()]
        values = [rounded(features[position], 4) for position in positions]
        encoder.append({"file": file, "positions": positions, "values": values})

    sot = list(get_tokenizer(True, num_languages=model.num_languages, language="en", task="transcribe").sot_sequence)
    logits, languages = [], []
    for file in ["clean_003.flac", "noisy_004.flac", "multi_000.flac", "nospeech_001.flac"]:
        features = model.encoder(window_of(file)[None])
        last = model.decoder(torch.tensor([sot]), features)[0, -1]
        top = last.topk(20)
        logits.append({"file": file, "tokens": sot, "top": top.indices.tolist(), "values": rounded(top.values, 4),
                       "norm": round(last.norm().item(), 3)})
        _, probs = model.detect_language(window_of(file))
        ranked = sorted(probs, key=probs.get, reverse=True)
        among = [["de", "fr", "es"], ["ru", "uk", "pl", "be"], sorted(ranked[5:9])]
        languages.append({"file": file, "detected": ranked[0], "probs": {c: round(probs[c], 6) for c in sorted(probs)},
                          "among": [{"codes": codes, "best": max(codes, key=probs.get)} for codes in among]})
    return {"madeFrom": made_from(), "mel": mels, "encoder": encoder, "logits": logits, "languages": languages}


# ---- tokenizer

def tokenizer():
    def of(language="en", task="transcribe"):
        return get_tokenizer(True, num_languages=model.num_languages, language=language, task=task)

    encoding = of().encoding
    strings = [{"text": s, "ids": encoding.encode(s)} for s in tokenizer_strings()]
    assert all(encoding.decode(case["ids"]) == case["text"] for case in strings)
    chance = random.Random(7)
    # Any tokens, not only those of a text: broken UTF-8 is decoded to U+FFFD.
    decoded = []
    for size in [1] * 20 + [2] * 10 + [6] * 20:
        ids = [chance.randrange(256 if size < 3 else of().eot) for _ in range(size)]
        decoded.append({"ids": ids, "text": of().decode(ids)})
    words = []
    for language, text in [
        ("en", " The queue's full -- isn't it, Bob? \"Yes.\""), ("en", " 50% of 1,000 naïve cafés 😀 done"), ("de", " Straße, Österreich!"),
        ("ja", "こんにちは、世界。"), ("zh", "你好，世界 ok 😀"), ("ru", " Съешь ещё, пожалуйста"), ("th", "สวัสดี โลก"), ("en", "no space first"),
    ]:
        tokens = [*encoding.encode(text), of().eot]
        split, split_tokens = of(language).split_to_word_tokens(tokens)
        words.append({"language": language, "tokens": tokens, "words": split, "wordTokens": split_tokens})
    stray = [chance.randrange(of().eot) for _ in range(40)]
    for language in ["en", "ja"]:
        split, split_tokens = of(language).split_to_word_tokens(stray)
        words.append({"language": language, "tokens": stray, "words": split, "wordTokens": split_tokens})
    starts = [{"language": l, "task": t, "sequence": list(of(l, t).sot_sequence),
               "withoutTimestamps": list(of(l, t).sot_sequence_including_notimestamps)}
              for l, t in [("en", "transcribe"), ("en", "translate"), ("de", "transcribe"), ("su", "translate")]]
    named = ["eot", "sot", "sot_prev", "sot_lm", "no_speech", "no_timestamps", "timestamp_begin", "transcribe", "translate"]
    return {"madeFrom": made_from(), "strings": strings, "decoded": decoded, "words": words, "starts": starts,
            "nonSpeechTokens": list(of().non_speech_tokens), "special": {name: getattr(of(), name) for name in named}}


# ---- transcripts

near_ties = NearTies()
SILENT = {"logprob_threshold": None, "compression_ratio_threshold": None, "no_speech_threshold": None}
GREEDY = {"temperature": 0.0, "language": "en"}


def segment_of(s):
    made = {
        "seek": s["seek"], "start": round(s["start"], 2), "end": round(s["end"], 2), "text": s["text"], "tokens": s["tokens"],
        "temperature": s["temperature"], "avgLogprob": round(s["avg_logprob"], 5),
        "compressionRatio": round(s["compression_ratio"], 4), "noSpeechProb": round(s["no_speech_prob"], 5),
    }
    if "words" in s:
        made["words"] = [[w["word"], round(float(w["start"]), 2), round(float(w["end"]), 2), round(float(w["probability"]), 4)]
                         for w in s["words"]]
    return made


def run(audio, options):
    torch.manual_seed(0)
    result = whisper.transcribe(model, audio, verbose=None, **options)
    return {"language": result["language"], "text": result["text"], "segments": [segment_of(s) for s in result["segments"]]}


def same_words(a, b):
    """Whether two results agree as closely as the test asks."""
    if [s["tokens"] for s in a["segments"]] != [s["tokens"] for s in b["segments"]]:
        return False
    words = [(w, v) for s, t in zip(a["segments"], b["segments"]) for w, v in zip(s["words"], t["words"])]
    return all(abs(w[1] - v[1]) < 0.021 and abs(w[2] - v[2]) < 0.021 for w, v in words)


def unstable(audio, options, result):
    """Word times come from a shortest path, whose ties no gap shows: listen again to features that differ by rounding."""
    noise = torch.Generator().manual_seed(1)

    def shake(_module, _inputs, output):
        return output + 2e-5 * torch.randn(output.shape, generator=noise)

    handle = model.encoder.register_forward_hook(shake)
    try:
        return not same_words(result, run(audio, options))
    finally:
        handle.remove()


def case(source, audio, options):
    near_ties.reset()
    made = {**source, "options": options, **run(audio, options)}
    smallest = near_ties.smallest
    for s in made["segments"]:
        for value, threshold in [(s["avgLogprob"], options.get("logprob_threshold", -1.0)),
                                 (s["noSpeechProb"], options.get("no_speech_threshold", 0.6))]:
            if threshold is not None:
                smallest = min(smallest, abs(value - threshold))
    if smallest < TIE:
        made["nearTie"] = f"a decision hung on {smallest:.1e}"
    elif options.get("word_timestamps") and unstable(audio, options, made):
        made["nearTie"] = "word times change with rounding"
    return made


def cases_of(name, chosen, options, own=lambda file: {}):
    began = time.time()
    made = [case({"set": name, "file": file}, audio_of(file), {**options, **own(file)}) for file in chosen]
    ties = sum("nearTie" in c for c in made)
    print(f"{name}: {len(made)} cases, {ties} near ties, {time.time() - began:.0f} s", flush=True)
    return made


def transcripts():
    made = cases_of("greedy", files, {"temperature": 0.0})
    some = files[::5] + multi[:1]
    # Half of the windows shall fall back, whatever the model: a threshold in the middle of what it reaches.
    reached = [s["avgLogprob"] for c in made for s in c["segments"]]
    middle = round(statistics.median(reached), 2) + 0.003
    made += cases_of("fallback", files, {"language": "en", "temperature": (0.0, 1e-6), "best_of": 2, "logprob_threshold": middle,
                                         "compression_ratio_threshold": 1.3})
    made += cases_of("without timestamps", files, {**GREEDY, **SILENT, "without_timestamps": True})
    for carried in [False, True]:
        made += cases_of("prompt", list(prompts), {**GREEDY, "carry_initial_prompt": carried},
                         lambda file: {"initial_prompt": prompts[file]})
    made += cases_of("beam", some, {**GREEDY, "beam_size": 5})
    made += cases_of("patience", some[::4], {**GREEDY, "beam_size": 3, "patience": 2.0})
    made += cases_of("length penalty", some[1::4], {**GREEDY, "beam_size": 5, "length_penalty": 0.5})
    made += cases_of("no thresholds", [f for f in files if f.startswith("nospeech")], {**GREEDY, **SILENT})
    made += cases_of("words", some + multi[1:], {**GREEDY, **SILENT, "word_timestamps": True})
    made += cases_of("translate", some[2::3], {**GREEDY, "task": "translate"})
    for clips in [[2.0, 9.5, 12.0], [0.0, 4.0, 4.0, 10.0]]:
        made += cases_of("clips", multi, {**GREEDY, "clip_timestamps": clips})
    return {"madeFrom": made_from(), "cases": made}


# ---- a long recording

SECOND = 16_000
RECIPE = [
    ["clean_000.flac", 9_600], ["jargonknown_001.flac", 24_001], ["multi_000.flac", 8_000], ["heldvoice_003.flac", 12_345],
    ["noisy_001.flac", 16_000], ["clean_007.flac", 7 * SECOND], ["jargonnew_005.flac", 4_801], ["clean_003.flac", 16_000],
    ["nospeech_003.flac", 1_600], ["multi_001.flac", 20_000], ["clean_013.flac", 9_999], ["jargonknown_005.flac", 8_000],
    ["heldvoice_007.flac", 12 * SECOND], ["clean_014.flac", 5_000], ["multi_003.flac", 11_111], ["jargonnew_006.flac", 3_333],
    ["clean_008.flac", 24_000],
]


def prompt_of(length, encode):
    """Terms whose tokens, as an initial prompt, are exactly `length`."""
    chance = random.Random(length)
    terms = [term.strip(" .") for prompt in prompts.values() for term in prompt.removeprefix("Glossary:").split(",")]
    text = "Glossary: " + chance.choice(terms)
    while len(encode(" " + text)) < length - 12:
        text += ", " + chance.choice(terms)
    while len(encode(" " + text)) < length:
        text += "."  if len(encode(" " + text + ".")) == len(encode(" " + text)) + 1 else " a"
    assert len(encode(" " + text.strip())) == length, (length, len(encode(" " + text.strip())))
    return text


def long_form():
    audio = np.concatenate([part for file, silence in RECIPE for part in (audio_of(file), np.zeros(silence, np.float32))])
    encode = get_tokenizer(True, num_languages=model.num_languages, language="en").encode
    jargon = " ".join(prompts.values())
    jargon = "Glossary: " + jargon.replace("Glossary: ", "")[:60].rsplit(",", 1)[0] + "."
    runs = {
        "plain": {},
        "not conditioned": {"condition_on_previous_text": False},
        "prompt": {"initial_prompt": jargon},
        "prompt carried": {"initial_prompt": jargon, "carry_initial_prompt": True},
        "223 tokens": {"initial_prompt": prompt_of(223, encode)},
        **{f"{n} tokens carried": {"initial_prompt": prompt_of(n, encode), "carry_initial_prompt": True} for n in (30, 160, 222)},
        "fallback": {"temperature": (0.0, 1e-6), "best_of": 2, "logprob_threshold": -0.3, "compression_ratio_threshold": 1.6},
        "without timestamps": {"without_timestamps": True},
        "beam": {"beam_size": 2},
        "words": {"word_timestamps": True},
        "words, hallucinations skipped": {"word_timestamps": True, "hallucination_silence_threshold": 2.0},
        "words, prompt carried": {"word_timestamps": True, "initial_prompt": jargon, "carry_initial_prompt": True},
        "clips": {"clip_timestamps": [10.0, 50.0, 61.5, 80.25, 120.0]},
    }
    cases = []
    for name, options in runs.items():
        cases.append(case({"name": name}, audio, {**GREEDY, **options}))
        print(f"long form, {name}: {len(cases[-1]['segments'])} segments, near tie: {cases[-1].get('nearTie')}", flush=True)
    return {"madeFrom": made_from(), "recipe": RECIPE, "samples": len(audio), "cases": cases}


save("tensors", tensors())
save("tokenizer", tokenizer())
save("long-form", long_form())
save("transcripts", transcripts())
