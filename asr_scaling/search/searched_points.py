"""Points of a sweep as its search asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asr_scaling.analysis.points import Point
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


def stage_of(point: Point) -> str:
    """The stage of the search that measured a point; empty for a point of another sweep."""
    return str((point.config.get("optimiser") or {}).get("stage") or "")


def point_of(points: Sequence[Point], entry: Entry, stage: Stage) -> Point | None:
    """The measured point of an entry, preferably of ``stage``; None where there is none."""
    candidate = entry.candidate
    matching = [
        point
        for point in points
        if point.ok
        and (point.engine, point.optimisations) == (candidate.engine, candidate.optimisations)
        and point.batch == entry.batch
        and stage_of(point)
    ]
    preferred = [point for point in matching if stage_of(point) == stage]
    return next(iter(preferred or matching[-1:]), None)


def comparable(points: Sequence[Point], *stages: Stage) -> list[Point]:
    """The finished points of these stages that ran on the first one's kind of machine."""
    those = [point for point in points if point.ok and stage_of(point) in stages]
    return [point for point in those if not unlike(those[0].environment, point.environment)]
