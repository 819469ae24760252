"""From voices to turns: which windows are compared, who speaks when, and who said which words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from asr_scaling.cascade.segments import Segment
from asr_scaling.core.turns import Turn

_BARELY = 1e-6


@dataclass(frozen=True)
class Window:
    """A stretch of a segment, in seconds from the segment's beginning."""

    start_s: float
    end_s: float


def windows(length_s: float, window_s: float, hop_s: float) -> list[Window]:
    """Windows of a segment of ``length_s`` seconds, the last one ending with it.

    A segment that is shorter than a window has one, as long as the segment.
    """
    if length_s <= window_s:
        return [Window(0.0, length_s)]
    starts = [i * hop_s for i in range(int((length_s - window_s) / hop_s + _BARELY) + 1)]
    found = [Window(start_s, start_s + window_s) for start_s in starts]
    if length_s - found[-1].end_s > hop_s / 2:
        found.append(Window(length_s - window_s, length_s))
    return found


def turns(segment: Segment, text: str, voices: Sequence[tuple[Window, int]]) -> list[Turn]:
    """The turns of a segment: a new one begins where the voice changes.

    The change is halfway between the middles of two windows. Words are spread evenly over the
    segment's time, since recognition does not tell when each is said.

    voices: windows in their order, each with the number of its speaker; empty where no module tells
    voices apart.
    """
    if not voices:
        return [Turn(segment.start_s, segment.end_s, None, text)]
    parts = list(_parts(segment.utterance.duration_s, voices))
    words = text.split()
    said: list[list[str]] = [[] for _ in parts]
    for place, word in enumerate(words):
        middle_s = (place + 0.5) / len(words) * segment.utterance.duration_s
        inside = [i for i, (start_s, _, _) in enumerate(parts) if start_s <= middle_s]
        said[inside[-1]].append(word)
    begin_s = segment.start_s
    return [
        Turn(begin_s + start_s, begin_s + end_s, f"speaker {voice + 1}", " ".join(own))
        for (start_s, end_s, voice), own in zip(parts, said, strict=True)
    ]


def _parts(
    length_s: float, voices: Sequence[tuple[Window, int]]
) -> Iterator[tuple[float, float, int]]:
    """Start and end of each stretch of one voice, in seconds, and the number of its speaker."""
    runs = [list(run) for _, run in groupby(voices, key=lambda voice: voice[1])]
    borders = [0.0]
    for before, after in pairwise(runs):
        borders.append((_middle_s(before[-1][0]) + _middle_s(after[0][0])) / 2)
    borders.append(length_s)
    for (start_s, end_s), run in zip(pairwise(borders), runs, strict=True):
        yield start_s, end_s, run[0][1]


def _middle_s(window: Window) -> float:
    return (window.start_s + window.end_s) / 2
