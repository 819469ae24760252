"""What must stand beside the figures of several points: one sentence each, none where there is nothing to say."""

from __future__ import annotations

from collections.abc import Iterable

from asr_scaling.report.points import Point

SYNTHETIC = "WER of synthetic speech compares systems with each other only and says nothing about people's speech."


def synthetic(points: Iterable[Point]) -> list[str]:
    """Where some WER is of synthetic speech."""
    return [SYNTHETIC] if any(point.synthetic and point.wer_known for point in points) else []


def different_speech(points: Iterable[Point]) -> list[str]:
    """Where the points that were measured to their end are of several datasets."""
    names = sorted({point.dataset for point in points if point.ok and point.dataset})
    if len(names) < 2:
        return []
    return [f"The speech is of several datasets ({', '.join(names)}): figures of different ones can't be compared."]


def partly(points: Iterable[Point]) -> list[str]:
    """Where some left audio out."""
    systems = sorted({point.system for point in points if point.ok and point.truncated})
    return [f"Part of the audio was not transcribed, so speed is overstated: {', '.join(systems)}."] if systems else []
