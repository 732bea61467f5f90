"""Whisper's log-mel features, in two steps so that noise can be mixed in between.

The filter bank is the usual Slaney mel scale with area normalisation, 80 bands up to 8 kHz.
Ref: Slaney, Auditory Toolbox (1998); Radford et al., Robust Speech Recognition (2022), 2.2.
"""

import numpy as np
import torch

RATE = 16000
HOP = 160
N_FFT = 400
N_MELS = 80
WINDOW_FRAMES = 3000  # 30 s of mel frames, 10 ms each


def mel_filters() -> np.ndarray:
    """[80, 201] float32."""
    step = 200 / 3
    log_start, log_step = 1000 / step, np.log(6.4) / 27

    def to_hz(mel):
        return np.where(mel < log_start, mel * step, 1000 * np.exp(log_step * (mel - log_start)))

    top = log_start + np.log(8.0) / log_step  # 8 kHz
    edges = to_hz(np.linspace(0.0, top, N_MELS + 2))
    bins = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    rise = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.maximum(0, np.minimum(rise, fall))
    return (bank * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


_FILTERS = torch.from_numpy(mel_filters())
_HANN = torch.hann_window(N_FFT)


def mel_power(audio: np.ndarray) -> np.ndarray:
    """float32 samples at 16 kHz -> mel power [frames, 80]; one frame per 160 samples."""
    stft = torch.stft(torch.as_tensor(audio, dtype=torch.float32), N_FFT, HOP, window=_HANN,
                      return_complex=True)
    return (_FILTERS @ stft[..., :-1].abs() ** 2).numpy().T


def normalise(power: np.ndarray, top: float | None = None) -> np.ndarray:
    """Mel power -> what the encoder sees. `top` is the recording's loudest log10 value when
    the window is only part of a recording: Whisper clamps against the whole recording."""
    log = np.log10(np.maximum(power, 1e-10))
    log = np.maximum(log, (log.max() if top is None else top) - 8.0)
    return ((log + 4.0) / 4.0).astype(np.float32)


def pad_window(features: np.ndarray) -> np.ndarray:
    """Cut or pad normalised features to 30 s with the VALUE 0.0, as Whisper's transcribe()
    pads its last window. That is not what silence looks like, so training must know it."""
    features = features[:WINDOW_FRAMES]
    return np.pad(features, ((0, WINDOW_FRAMES - len(features)), (0, 0)))


def recording_windows_features(audio: np.ndarray) -> np.ndarray:
    """Normalised features [frames, 80] of a whole recording, the clamp taken over all of it."""
    usable = len(audio) // HOP
    padded = np.concatenate([audio, np.zeros(30 * RATE, np.float32)])
    return normalise(mel_power(padded))[:usable]
