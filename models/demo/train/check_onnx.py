"""Checks the exported graphs against PyTorch: logits, greedy tokens, cache, batches, long prompts.

    python check_onnx.py --work WORK --checkpoint WORK/run.pt --model models/demo --audio clip.flac
"""

import argparse
import subprocess

import numpy as np
import onnxruntime
import torch

from decode import Decoder, load
from features import WINDOW_FRAMES, pad_window, recording_windows_features
from model import CONFIG
from tokenizer import EN, EOT, NO_TIMESTAMPS, PREV, SOT, TRANSCRIBE, Tokenizer


def read_audio(path: str) -> np.ndarray:
    """Any audio file -> float32 mono at 16 kHz, through ffmpeg."""
    pcm = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-ac", "1", "-ar", "16000", "-"],
                         capture_output=True, check=True).stdout
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768


class Merged:
    """The merged decoder with its cache, for one batch."""

    def __init__(self, session: onnxruntime.InferenceSession):
        self.session = session
        self.outputs = [o.name for o in session.get_outputs()]

    def run(self, ids: np.ndarray, audio: np.ndarray, past: dict | None) -> tuple[dict, dict]:
        c = CONFIG
        feeds = dict(input_ids=ids, encoder_hidden_states=audio, use_cache_branch=np.array([past is not None]))
        for i in range(c["decoder_layers"]):
            for kind in ("decoder.key", "decoder.value", "encoder.key", "encoder.value"):
                empty = np.zeros((ids.shape[0], c["decoder_attention_heads"], 0, 64), np.float32)
                feeds[f"past_key_values.{i}.{kind}"] = past[f"present.{i}.{kind}"] if past else empty
        out = dict(zip(self.outputs, self.session.run(None, feeds)))
        return out, {k: v for k, v in out.items() if k.startswith("present")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--audio", nargs="+", required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    encoder = onnxruntime.InferenceSession(f"{args.model}/onnx/encoder_model.onnx", options)
    merged = Merged(onnxruntime.InferenceSession(f"{args.model}/onnx/decoder_model_merged.onnx", options))
    tokenizer = Tokenizer(f"{args.work}/tokenizer.json")
    model = load(args.checkpoint)
    decoder = Decoder(model, tokenizer)
    for path in args.audio:
        features = recording_windows_features(read_audio(path))[:WINDOW_FRAMES]
        mel = pad_window(features).T[None]
        hidden = encoder.run(None, {"input_features": mel})[0]
        reference = decoder.encode(features)
        print(path, "encoder differs by", float(np.abs(hidden - reference.numpy()).max()))
        prompt = [PREV] + [7 + i % 300 for i in range(220)]
        start = [SOT, EN, TRANSCRIBE, NO_TIMESTAMPS]
        for head in (start, prompt + start):
            ids, seen = list(head), []
            out, past = merged.run(np.array([ids] * 2), np.repeat(hidden, 2, 0), None)
            worst = 0.0
            for _ in range(40):
                logits = out["logits"][:, -1]
                assert np.abs(logits[0] - logits[1]).max() < 1e-3, "the rows of a batch differ"
                with torch.no_grad():
                    h, attention, _ = model.model.decoder(torch.tensor([ids]), reference, weights_from=0)
                    full = model.logits(h)[0, -1].numpy()
                worst = max(worst, float(np.abs(full - logits[0]).max()))
                for layer, p in enumerate(attention):
                    worst = max(worst, float(np.abs(p[0, :, -1].numpy() - out[f"cross_attentions.{layer}"][0, :, -1]).max()))
                token = int(logits[0].argmax())
                assert token == int(full.argmax()), "greedy tokens differ"
                if token == EOT:
                    break
                seen.append(token)
                ids.append(token)
                out, past = merged.run(np.array([[token]] * 2), np.repeat(hidden, 2, 0), past)
            print(f"  after {len(head)} tokens: {len(seen)} equal tokens, greatest difference {worst:.1e}: {tokenizer.decode(seen)!r}")


if __name__ == "__main__":
    main()
