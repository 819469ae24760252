"""Turns and recordings in short, and strategies that make them on a grid of whole seconds."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from asr_scaling.core.metric import Metric
from asr_scaling.core.turns import Turn
from asr_scaling.profiler._figures import Figures
from asr_scaling.profiler._turns.recordings import Recording

LENGTH_S = 12
NAMES = ("ann", "bob", "cem")


def turns(*rows: tuple[float, float, str | None] | tuple[float, float, str | None, str]):
    """Turns of (start, end, speaker) or (start, end, speaker, text)."""
    return tuple(Turn(*row) for row in rows)


def values(figures: Figures) -> dict[str, float]:
    return {name: each.value for name, each in figures.items() if isinstance(each, Metric)}


def grid_turns(names: Sequence[str] = NAMES, least: int = 0) -> st.SearchStrategy[tuple[Turn, ...]]:
    """Up to six turns of whole seconds, which may overlap each other."""
    turn = st.tuples(st.integers(0, LENGTH_S - 1), st.integers(1, 5), st.sampled_from(names)).map(
        lambda row: Turn(row[0], min(row[0] + row[1], LENGTH_S), row[2])
    )
    return st.lists(turn, min_size=least, max_size=6).map(tuple)


def renamed(found: Sequence[Turn], names: Sequence[str] = NAMES) -> tuple[Turn, ...]:
    """The turns with each speaker under the next name."""
    new = dict(zip(names, (*names[1:], names[0]), strict=True))
    return tuple(Turn(t.start_s, t.end_s, new[t.speaker], t.text) for t in found)


def recording(reference: Sequence[Turn], found: Sequence[Turn], key: str = "r") -> Recording:
    return Recording(key, float(LENGTH_S), tuple(reference), tuple(found))
