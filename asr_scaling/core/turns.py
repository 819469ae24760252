"""Who spoke when, and what was said: in references and in what a cascade found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asr_scaling.errors import DataError


@dataclass(frozen=True)
class Turn:
    """One stretch of speech of one speaker.

    start_s, end_s: seconds from the beginning of the recording.
    speaker: name of who speaks; None where it is not known.
    text: what is said; empty where it is not known.
    Raises DataError for a turn that ends before it begins.
    """

    start_s: float
    end_s: float
    speaker: str | None = None
    text: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.start_s <= self.end_s:
            raise DataError(
                f"A turn from {self.start_s:g} to {self.end_s:g} s can't be: give a start of 0 s "
                "or later, and an end after it."
            )

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s

    def overlap_s(self, start_s: float, end_s: float) -> float:
        """Seconds that it has in common with another stretch."""
        return max(0.0, min(self.end_s, end_s) - max(self.start_s, start_s))


def text_of(turns: Iterable[Turn]) -> str:
    """What is said in all ``turns``, in the order of their starts."""
    ordered = sorted(turns, key=lambda turn: (turn.start_s, turn.end_s))
    return " ".join(turn.text for turn in ordered if turn.text)


def speech_of(turns: Iterable[Turn]) -> tuple[tuple[float, float], ...]:
    """Start and end, in seconds, of each stretch in which somebody speaks, in order.

    Turns that touch or overlap become one stretch.
    """
    stretches: list[tuple[float, float]] = []
    for turn in sorted(turns, key=lambda turn: turn.start_s):
        if stretches and turn.start_s <= stretches[-1][1]:
            start_s, end_s = stretches[-1]
            stretches[-1] = (start_s, max(end_s, turn.end_s))
        elif turn.duration_s:
            stretches.append((turn.start_s, turn.end_s))
    return tuple(stretches)


def speakers_of(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Sorted names of the speakers that are known."""
    return tuple(sorted({turn.speaker for turn in turns if turn.speaker is not None}))
