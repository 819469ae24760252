"""Which systems loop on speech on which a neighbour does not: another engine or optimisation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.core.record import RunRecord
from asr_scaling.util.groups import grouped

SHARE = "quality/looping_share"


def looping_records(records: Iterable[RunRecord]) -> list[str]:
    """As ``looping``, of records."""
    scored = [record for record in records if SHARE in record.values]
    if not any(record.values[SHARE] for record in scored):
        return []
    return looping(named(to_point(record) for record in scored))


def looping(points: Iterable[Point]) -> list[str]:
    """One sentence for each model and speech on which some system loops.

    ``points``: with names that tell them apart (analysis/system_names.py).
    """
    scored = [point for point in points if SHARE in point.values]
    speech = grouped(scored, lambda p: (p.model, p.device, p.dataset, p.length_s))
    sentences = []
    for members in speech.values():
        told = [_told(point, members) for point in members if point.values[SHARE]]
        if told:
            sentences.append(f"Texts that loop: {'; '.join(dict.fromkeys(told))}.")
    return sentences


def _told(point: Point, members: Sequence[Point]) -> str:
    """How many texts of ``point`` loop, and which system like it has none that does."""
    count = round(point.values[SHARE] * point.utterances)
    here = f"{_name(point)} loops on {count} of {point.utterances} utterances"
    clean = [other for other in members if not other.values[SHARE]]
    if not clean:
        return here
    nearest = min(clean, key=lambda other: _distance(point, other))
    return f"{here} where {_name(nearest)} does not"


def _name(point: Point) -> str:
    return f"{point.system} (batch {point.batch})"


def _distance(a: Point, b: Point) -> tuple[int, bool, int]:
    """By what only one of them has (optimisations, decoding, engine), then engine, then batch."""
    differing = len(set(a.optimisations) ^ set(b.optimisations)) + (a.decoding != b.decoding)
    return differing + (a.engine != b.engine), a.engine != b.engine, abs(a.batch - b.batch)
