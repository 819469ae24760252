"""Points of a sweep as its search asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asr_scaling.analysis.points import Point
from asr_scaling.core.search_stage import search_stage
from asr_scaling.machine.machine_kind import unlike
from asr_scaling.search.candidates import Entry, Stage
from asr_scaling.search.outcome import Journal, Outcome


def outcome_of(sources: Sequence[str]) -> Outcome | None:
    """What the search of a single source found; None where the source is no search.

    Raises DataError when its optimise.json is damaged.
    """
    if len(sources) != 1 or not Path(sources[0]).is_dir():
        return None
    journal = Journal.read(Path(sources[0]))
    return journal.outcome if journal else None


def point_of(points: Sequence[Point], entry: Entry, stage: Stage) -> Point | None:
    """The measured point of an entry, preferably of ``stage``; None where there is none."""
    candidate = entry.candidate
    matching = [
        point
        for point in points
        if point.ok
        and (point.engine, point.optimisations) == (candidate.engine, candidate.optimisations)
        and point.batch == entry.batch
        and search_stage(point.config)
    ]
    preferred = [point for point in matching if search_stage(point.config) == stage]
    return next(iter(preferred or matching[-1:]), None)


def comparable(points: Sequence[Point], *stages: Stage) -> list[Point]:
    """The finished points of these stages that ran on the first one's kind of machine."""
    those = [point for point in points if point.ok and search_stage(point.config) in stages]
    return [point for point in those if not unlike(those[0].environment, point.environment)]
