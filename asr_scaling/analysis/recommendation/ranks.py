"""How much the evidence of a point counts: finals above what a search goes by while it chooses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from asr_scaling.analysis.interval_scope import of_one_process
from asr_scaling.analysis.points import Point
from asr_scaling.core.search_stage import FINAL, search_stage
from asr_scaling.util.groups import grouped

_RANKS = {"search": 0, "alone": 0, "together": 0, "semifinal": 2, "final": 4}
"""Stage of a search → rank; "alone" and "together" are what older searches called theirs."""
_ONE_PROCESS, _SEVERAL = 1, 3
"""Ranks of a point of any other sweep."""
_MEASURED = ("dataset", "pipeline", "profiler", "tracking", "sweep", "optimiser", "hydra")
_OF_NO_SYSTEM = (*_MEASURED, "scenario")
"""Groups of options that say how a system was measured; all others say what it is."""
BEFORE = "measured by a search before its final"
BESIDE = "measured beside a search's final"
AGAIN = "of configurations that were measured again"


def rank(point: Point) -> int:
    """Higher is better evidence."""
    own = search_stage(point.config)
    return _RANKS.get(own, 0) if own else _ONE_PROCESS if of_one_process(point.tags) else _SEVERAL


def chosen_by_itself(point: Point) -> bool:
    """Whether a search chose by this very measurement, so that it flatters what was chosen."""
    return search_stage(point.config) not in ("", FINAL)


def best_evidence(
    points: Sequence[Point], served: bool = False
) -> tuple[list[Point], Counter[str]]:
    """Of points on speech of one name and length those that decide, and why others don't.

    served: whether it matters how requests become calls, as it does where they arrive.

    - Where a model has a final on a device at a batch, what was in it decides there.
    - All are of the same utterances: those of the best evidence, of more words, of the newest.
    - Of one configuration the best evidence, then of more words, then the newest decides.
    """
    aside: Counter[str] = Counter()
    finals = {cell(point) for point in points if search_stage(point.config) == FINAL}
    kept = [
        point
        for point in points
        if search_stage(point.config) == FINAL or cell(point) not in finals
    ]
    ids = set(map(id, kept))
    aside.update(BEFORE if search_stage(p.config) else BESIDE for p in points if id(p) not in ids)
    content = max(kept, key=_evidence).content if kept else ""
    same = [point for point in kept if not content or point.content in ("", content)]
    aside.update(
        BEFORE if search_stage(p.config) else _other(p)
        for p in kept
        if p.content not in ("", content)
    )
    groups = grouped(same, lambda point: _configuration(point, served)).values()
    best = {id(max(members, key=_evidence)) for members in groups}
    aside[AGAIN] += len(same) - len(best)
    return [point for point in same if id(point) in best], +aside


def same_calls(a: Point, b: Point) -> bool:
    """Whether two points differ in nothing but how requests become calls."""
    return a.content == b.content and _configuration(a, False) == _configuration(b, False)


def cell(point: Point) -> tuple[str, str, int]:
    """What one final is of: a model on a device at a batch."""
    return point.model, point.device, point.batch


def _other(point: Point) -> str:
    return f"of {point.utterances} other utterances of {point.dataset}"


def _evidence(point: Point) -> tuple[int, float, float]:
    words = point.values.get("quality/words", 0.0)
    return rank(point), words or point.utterances, point.started_at


def _configuration(point: Point, served: bool) -> str:
    """All that says what runs, and in which batches."""
    left_out = _OF_NO_SYSTEM if served else (*_OF_NO_SYSTEM, "serving")
    chosen = {key: own for key, own in point.config.items() if key not in left_out}
    of = [point.model, point.engine, point.device, point.batch, chosen]
    return json.dumps(of, sort_keys=True, default=str)
