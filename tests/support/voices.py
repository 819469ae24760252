"""Recordings of tones: each speaker is a pitch, and who speaks when is known to the sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr_scaling.core.turns import Turn, text_of
from asr_scaling.core.workload import SAMPLE_RATE_HZ, Utterance

PITCHES = {"ann": 300.0, "bob": 900.0, "cem": 2700.0}


def recording(turns: Sequence[Turn], seconds: float, key: str = "r") -> Utterance:
    """Silence with the tone of its speaker wherever a turn is; its reference is the turns' text."""
    audio = np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)
    for turn in turns:
        first, last = (round(at * SAMPLE_RATE_HZ) for at in (turn.start_s, turn.end_s))
        at = np.arange(last - first) / SAMPLE_RATE_HZ
        assert turn.speaker is not None
        audio[first:last] += 0.3 * np.sin(2 * np.pi * PITCHES[turn.speaker] * at).astype("f4")
    return Utterance(key, audio, text_of(turns), language="en", turns=tuple(turns))


def talk(count: int, turn_s: float = 2.0, pause_s: float = 1.0, key: str = "r") -> Utterance:
    """``count`` turns of three speakers in turn, each as long, with a pause after each."""
    names = list(PITCHES)
    turns = []
    for i in range(count):
        start_s = i * (turn_s + pause_s)
        turns.append(Turn(start_s, start_s + turn_s, names[i % 3], f"turn {i} is said"))
    return recording(turns, count * (turn_s + pause_s), key)
