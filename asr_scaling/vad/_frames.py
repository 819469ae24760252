"""From frames that are speech or not to stretches of speech."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby


def stretches(
    frames: Sequence[bool],
    frame_s: float,
    *,
    min_speech_s: float,
    min_silence_s: float,
    pad_s: float,
) -> list[tuple[float, float]]:
    """Start and end, in seconds, of each stretch of speech.

    Pauses shorter than ``min_silence_s`` are part of a stretch, stretches shorter than
    ``min_speech_s`` are dropped, and ``pad_s`` is added to both ends, up to halfway to the next.
    frames: whether each frame of ``frame_s`` seconds is speech.
    """
    found: list[tuple[float, float]] = []
    at = 0
    for speech, run in groupby(frames):
        length = sum(1 for _ in run)
        start_s, end_s = at * frame_s, (at + length) * frame_s
        if speech and found and start_s - found[-1][1] < min_silence_s:
            found[-1] = (found[-1][0], end_s)
        elif speech:
            found.append((start_s, end_s))
        at += length
    kept = [(a, b) for a, b in found if b - a >= min_speech_s]
    return _padded(kept, pad_s, len(frames) * frame_s)


def _padded(
    found: Sequence[tuple[float, float]], pad_s: float, length_s: float
) -> list[tuple[float, float]]:
    starts = [max(0.0, start_s - pad_s) for start_s, _ in found]
    ends = [min(length_s, end_s + pad_s) for _, end_s in found]
    for i in range(1, len(found)):
        if starts[i] < ends[i - 1]:
            starts[i] = ends[i - 1] = (found[i - 1][1] + found[i][0]) / 2
    return list(zip(starts, ends, strict=True))
