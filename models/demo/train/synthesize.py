"""Speaks grammar sentences with flite and eSpeak NG and stores mel shards with alignments.

Both synthesisers are used as libraries, because they then also tell when each word and each
phone was said. Nobody had to label anything, yet the training gets frame-exact phone targets
and word times.

    python synthesize.py --work WORK --name a --count 20000

Debian packages: libflite1 (or flite), libespeak-ng1, espeak-ng-data. Writes
WORK/shards/NAME_000.npy (log10 mel power, float16, all utterances end to end) and .pkl.
"""

import argparse
import ctypes as C
import functools
import os
import pickle
import random
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.signal import resample_poly

import jargon
from features import HOP, RATE, mel_power
from grammar import Grammar, Piece, spoken_text

FLITE_VOICES = ("slt", "rms", "awb", "kal16")
ESPEAK_VOICES = ("en-us", "en-gb")
VOICES = [("flite", v) for v in FLITE_VOICES] + [("espeak", v) for v in ESPEAK_VOICES]
MAX_SECONDS = 9.0


@dataclass
class Utterance:
    """Trimmed speech at 16 kHz; times in seconds from the first sample."""

    audio: np.ndarray
    word_times: list[tuple[float, float]]  # one per spoken word, split at white space
    phones: list[tuple[float, str]]  # start and name; the last one runs to the end


# -- flite ---------------------------------------------------------------------------------


class _Wave(C.Structure):
    _fields_ = [("type", C.c_char_p), ("rate", C.c_int), ("samples_n", C.c_int),
                ("channels", C.c_int), ("samples", C.POINTER(C.c_short))]


@functools.cache
def _flite():
    lib = C.CDLL("libflite.so.1", mode=C.RTLD_GLOBAL)
    for name in ("usenglish", "cmulex"):
        C.CDLL(f"libflite_{name}.so.1", mode=C.RTLD_GLOBAL)
    p, s = C.c_void_p, C.c_char_p
    for name, result, args in (
        ("flite_synth_text", p, [s, p]), ("utt_relation", p, [p, s]), ("relation_head", p, [p]),
        ("item_next", p, [p]), ("path_to_item", p, [p, s]), ("ffeature_string", s, [p, s]),
        ("ffeature_float", C.c_float, [p, s]), ("utt_wave", C.POINTER(_Wave), [p]),
        ("delete_utterance", None, [p]), ("feat_set_float", None, [p, s, C.c_float]),
    ):
        f = getattr(lib, name)
        f.restype, f.argtypes = result, args
    lib.flite_init()
    return lib


class _Voice(C.Structure):
    _fields_ = [("name", C.c_char_p), ("features", C.c_void_p)]


@functools.cache
def _flite_voice(name: str):
    prefix = "cmu_us_" + name
    module = C.CDLL(f"libflite_{prefix}.so.1", mode=C.RTLD_GLOBAL)
    register = getattr(module, f"register_{prefix}")
    register.restype, register.argtypes = C.POINTER(_Voice), [C.c_void_p]
    _flite()
    return register(None)


def flite(text: str, voice: str, stretch: float, f0: float | None):
    lib, v = _flite(), _flite_voice(voice)
    lib.feat_set_float(v.contents.features, b"duration_stretch", stretch)
    default = {"slt": 172.0, "rms": 95.0, "awb": 120.0, "kal16": 95.0}[voice]
    lib.feat_set_float(v.contents.features, b"int_f0_target_mean", f0 or default)
    utt = lib.flite_synth_text(text.encode(), C.cast(v, C.c_void_p))
    wave = lib.utt_wave(utt).contents
    audio = np.ctypeslib.as_array(wave.samples, (wave.samples_n,)).astype(np.float32) / 32768
    rate = wave.rate
    phones, start = [], 0.0
    item = lib.relation_head(lib.utt_relation(utt, b"Segment"))
    while item:
        name = lib.ffeature_string(item, b"name").decode()
        phones.append((start, "sil" if name == "pau" else "f " + name))
        start = lib.ffeature_float(item, b"end")
        item = lib.item_next(item)
    times: list[tuple[float, float]] = []
    last_token = None
    item = lib.relation_head(lib.utt_relation(utt, b"Word"))
    while item:
        a = lib.ffeature_float(item, b"R:SylStructure.daughter1.daughter1.R:Segment.p.end")
        b = lib.ffeature_float(item, b"R:SylStructure.daughtern.daughtern.R:Segment.end")
        token = lib.path_to_item(item, b"R:Token.parent")
        if token == last_token:  # a token such as "o'clock" may become several words
            times[-1] = (times[-1][0], b)
        else:
            times.append((a, b))
        last_token = token
        item = lib.item_next(item)
    lib.delete_utterance(utt)
    return audio, rate, times, phones


# -- eSpeak NG -----------------------------------------------------------------------------


class _EventId(C.Union):
    _fields_ = [("number", C.c_int), ("name", C.c_char_p), ("string", C.c_char * 8)]


class _Event(C.Structure):
    _fields_ = [("type", C.c_int), ("unique", C.c_uint), ("text_position", C.c_int),
                ("length", C.c_int), ("audio_ms", C.c_int), ("sample", C.c_int),
                ("user", C.c_void_p), ("id", _EventId)]


_Callback = C.CFUNCTYPE(C.c_int, C.POINTER(C.c_short), C.c_int, C.POINTER(_Event))
_EVENT_END, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_chunks: list[np.ndarray] = []
_events: list[tuple[int, float, int, str]] = []


@_Callback
def _collect(samples, n, event):
    if n > 0:
        _chunks.append(np.ctypeslib.as_array(samples, (n,)).copy())
    i = 0
    while event[i].type != _EVENT_END:
        e = event[i]
        if e.type in (_EVENT_WORD, _EVENT_PHONEME):
            name = bytes(e.id.string).split(b"\0")[0].decode("utf8", "ignore") if e.type == _EVENT_PHONEME else ""
            _events.append((e.type, e.audio_ms / 1000, e.text_position, name))
        i += 1
    return 0


@functools.cache
def _espeak():
    lib = C.CDLL("libespeak-ng.so.1")
    rate = lib.espeak_Initialize(1, 0, None, 1)  # synchronous; 1: phoneme events
    lib.espeak_SetSynthCallback(_collect)
    return lib, rate


def espeak(text: str, voice: str, words_per_minute: int, pitch: int):
    lib, rate = _espeak()
    _chunks.clear()
    _events.clear()
    lib.espeak_SetVoiceByName(voice.encode())
    for parameter, value in ((1, words_per_minute), (3, pitch)):
        lib.espeak_SetParameter(parameter, value, 0)
    data = text.encode() + b"\0"
    lib.espeak_Synth(data, len(data), 0, 1, 0, 1, None, None)
    lib.espeak_Synchronize()
    audio = np.concatenate(_chunks).astype(np.float32) / 32768
    phones, starts = [], {}
    word_at, position = [], 0
    for word in text.split():
        position = text.index(word, position)
        word_at.append((position, position + len(word)))
        position += len(word)
    word_ends: dict[int, float] = {}
    current = None
    for kind, t, text_position, name in _events:
        if kind == _EVENT_WORD:
            p = text_position - 1
            current = next((i for i, (a, b) in enumerate(word_at) if a <= p < b), current)
        else:
            silent = name == "" or name.startswith("_")
            if starts and phones[-1][1] != "sil":
                word_ends[max(starts)] = t
            if not silent and current is not None:
                starts.setdefault(current, t)
            phones.append((t, "sil" if silent else "e " + name))
    end = len(audio) / rate
    for i in range(len(word_at)):
        if i not in starts:  # eSpeak speaks "of the" as one word: share its time
            before = starts.get(i - 1, 0.0)
            after = min((starts[j] for j in starts if j > i), default=end)
            starts[i] = (before + min(after, word_ends.get(i - 1, end))) / 2
            word_ends[i], word_ends[i - 1] = word_ends.get(i - 1, after), starts[i]
    times = [(starts[i], word_ends.get(i, end)) for i in range(len(word_at))]
    return audio, rate, times, phones


# -- both ----------------------------------------------------------------------------------


def speak(text: str, engine: str, voice: str, rng: random.Random | None = None) -> Utterance | None:
    """Speech trimmed to 30 ms before and 50 ms after what can be heard, peak 0.5.

    With `rng`, rate and pitch vary mildly; without, the voice's own. None when the
    synthesiser did not report every word.
    """
    if engine == "flite":
        stretch = rng.uniform(0.8, 1.05) if rng else 0.92
        f0 = None
        if rng and rng.random() < 0.4:
            f0 = {"slt": 172, "rms": 95, "awb": 120, "kal16": 95}[voice] * rng.uniform(0.88, 1.14)
        audio, rate, words, phones = flite(text, voice, stretch, f0)
    else:
        wpm = rng.randint(150, 195) if rng else 165
        audio, rate, words, phones = espeak(text, voice, wpm, rng.randint(38, 62) if rng else 50)
    if len(words) != len(text.split()):
        return None
    if rate == 22050:
        audio = resample_poly(audio, 320, 441).astype(np.float32)
    elif rate != RATE:
        raise ValueError(f"{voice}: {rate} Hz")
    frames = len(audio) // HOP
    level = np.sqrt((audio[: frames * HOP].reshape(frames, HOP) ** 2).mean(1) + 1e-12)
    heard = np.where(level > max(level.max() * 0.015, 1e-4))[0]
    if len(heard) < 20:
        return None
    first, last = max(0, heard[0] - 3), min(frames, heard[-1] + 5)
    audio = audio[first * HOP : last * HOP]
    shift, end = first * HOP / RATE, len(audio) / RATE
    inside = lambda t: float(min(max(t - shift, 0.0), end))
    return Utterance(audio * (0.5 / np.abs(audio).max()),
                     [(inside(a), inside(b)) for a, b in words],
                     [(t - shift, p) for t, p in phones])


def piece_times(pieces: list[Piece], word_times: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Word times of the spoken words -> times of the written ones."""
    out, i = [], 0
    for piece in pieces:
        n = len(piece.spoken.split())
        out.append((word_times[i][0], word_times[i + n - 1][1]))
        i += n
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True, help="folder for data and checkpoints")
    parser.add_argument("--name", required=True, help="names the shards and seeds the generator")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--jargon-share", type=float, default=0.5)
    parser.add_argument("--per-shard", type=int, default=1000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = random.Random("synthesize " + args.name)
    grammar = Grammar(rng, jargon.draw_term)
    folder = os.path.join(args.work, "shards")
    os.makedirs(folder, exist_ok=True)
    began, seconds = time.time(), 0.0
    for shard in range(args.count // args.per_shard):
        mels, meta = [], []
        while len(meta) < args.per_shard:
            pieces = grammar.sentence(args.jargon_share)
            engine, voice = rng.choice(VOICES)
            utterance = speak(spoken_text(pieces), engine, voice, rng)
            if utterance is None or len(utterance.audio) > MAX_SECONDS * RATE:
                continue
            mel = np.log10(np.maximum(mel_power(utterance.audio), 1e-10)).astype(np.float16)
            mels.append(mel)
            meta.append(dict(pieces=pieces, times=piece_times(pieces, utterance.word_times),
                             phones=utterance.phones, voice=voice, frames=len(mel)))
            seconds += len(mel) / 100
        stem = os.path.join(folder, f"{args.name}_{shard:03d}")
        with open(stem + ".pkl", "wb") as f:
            pickle.dump(meta, f)
        np.save(stem + ".part.npy", np.concatenate(mels))
        os.replace(stem + ".part.npy", stem + ".npy")  # the .npy is there: the shard is whole
        print(f"{args.name} shard {shard}: {seconds / 3600:.2f} h of speech in {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
