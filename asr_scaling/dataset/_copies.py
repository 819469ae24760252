"""Made copies of utterances: the same words played slower or faster, or with noise.

Speed by resampling, which changes the pitch too: Ko et al. 2015, Audio augmentation for speech
recognition (Interspeech).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr

from asr_scaling.core.workload import COPY_MARK, SAMPLE_RATE_HZ, Utterance
from asr_scaling.dataset._workload import rank

_STEPS = 2**15
"""Levels of 16 bits to each side of 0."""


@dataclass(frozen=True)
class Change:
    """What is done to an utterance.

    name: ends the id of the copy.
    speed: seconds of the utterance per second of the copy.
    snr_db: mean power of the utterance over that of the white noise mixed in; None for no noise.
    """

    name: str
    speed: float = 1.0
    snr_db: float | None = None


CHANGES = (
    Change("slower", 0.9),
    Change("slow", 0.95),
    Change("fast", 1.05),
    Change("faster", 1.1),
    Change("noisy", snr_db=30),
    Change("slower-noisy", 0.9, 30),
    Change("slow-noisy", 0.95, 30),
    Change("fast-noisy", 1.05, 30),
    Change("faster-noisy", 1.1, 30),
)
"""Mild, so that a copy is about as hard as its original: at 10 dB five times as many words are
wrong and most of what two systems differ by is that noise's."""


def copies(
    originals: Sequence[Utterance], changes: Sequence[Change], seed: int, count: int
) -> list[Utterance]:
    """At most ``count`` copies, each change of each original once.

    Every original has one before any has two. A smaller ``count`` gives the same first copies.

    seed: of their order.
    """
    turns: list[tuple[int, bytes, Utterance, Change]] = []
    for original in originals:
        own = sorted(changes, key=lambda change: rank(seed, copy_id(original.id, change)))
        order = rank(seed, original.id)
        turns += [(turn, order, original, change) for turn, change in enumerate(own)]
    turns.sort(key=lambda each: each[:2])
    return [made_copy(original, change) for *_, original, change in turns[:count]]


def copy_id(original: str, change: Change) -> str:
    """The id of a copy, of which ``original_id`` gives the original's again."""
    return f"{original}{COPY_MARK}{change.name}"


def made_copy(utterance: Utterance, change: Change) -> Utterance:
    """``utterance`` after ``change``, the same at every call.

    Its samples are rounded to 16 bits, so that no machine's last digit shows in a digest.
    """
    name = copy_id(utterance.id, change)
    samples = utterance.audio.astype(np.float64)
    if change.speed != 1:
        played = change.speed * SAMPLE_RATE_HZ
        samples = soxr.resample(samples, played, SAMPLE_RATE_HZ, quality="VHQ")
    if change.snr_db is not None:
        seed = np.frombuffer(hashlib.sha256(name.encode()).digest(), "<u4")
        noise = np.random.RandomState(seed).standard_normal(samples.size)  # its numbers are frozen
        power = np.mean(samples**2) / 10 ** (change.snr_db / 10)
        samples = samples + noise * np.sqrt(power / np.mean(noise**2))
    rounded = np.clip(np.round(samples * _STEPS), -_STEPS, _STEPS - 1) / _STEPS
    return replace(utterance, id=name, audio=rounded.astype(np.float32))
