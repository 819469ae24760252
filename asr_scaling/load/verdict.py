"""Whether a load kept its bound."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.load_point import Verdict
from asr_scaling.core.metric import Metric
from asr_scaling.core.statistics import share_interval
from asr_scaling.load.bound import Bound, Percentile, requests_needed
from asr_scaling.load.drive import Request
from asr_scaling.load.looks import Figures
from asr_scaling.load.percentile import latency_percentile

_Floats = NDArray[np.float64]
_WER = "load/wer"
Judged = tuple[Verdict, str]
"""A verdict, and one sentence to it."""


def judged(bound: Bound | None, requests: Sequence[Request], figures: Figures) -> Judged:
    """The verdict on a load that was not withheld and whose backlog did not grow.

    requests: those that count.
    figures: of the load.

    One term that is broken breaks the bound; a load with fewer requests than a percentile needs
    can break it, but not keep it.
    """
    if bound is None:
        return "unasked", ""
    found = [*_percentiles(bound, requests), *_errors(bound, requests), *_words(bound, figures)]
    order: tuple[Verdict, ...] = ("broken", "undecided", "held")
    for verdict in order:
        if reasons := [why for own, why in found if own == verdict]:
            return verdict, "; ".join(reasons)
    return "undecided", "no request was counted"


def broken_otherwise(bound: Bound, requests: Sequence[Request], figures: Figures) -> str:
    """Which terms that are no percentiles were broken, in words; empty where none was."""
    found = [*_errors(bound, requests), *_words(bound, figures)]
    return "; ".join(why for verdict, why in found if verdict == "broken")


def _percentiles(bound: Bound, requests: Sequence[Request]) -> list[Judged]:
    due = np.array([request.due_s for request in requests])
    latency = np.array([request.latency_s for request in requests])
    return [_kept(term, due, latency) for term in bound.percentiles if requests]


def _kept(term: Percentile, due: _Floats, latency: _Floats) -> Judged:
    """With too few requests for the percentile, only their late share can break the term."""
    n, needed = len(latency), requests_needed(term.percentile)
    value_s = latency_percentile(due, latency, term.percentile).value_s
    name = str(term).partition("<")[0]
    shown = "beyond any answer" if math.isinf(value_s) else f"{value_s:.3g} s"
    why = f"{name} is {shown}, asked for {term.limit_s:g} s"
    late = share_interval(int((latency > term.limit_s).sum()), n)
    if n < needed and not (late is not None and late.low > term.late_share):
        return "undecided", f"{n} requests can't bound {name}, {needed} can"
    return ("broken" if value_s > term.limit_s else "held"), why


def _errors(bound: Bound, requests: Sequence[Request]) -> list[Judged]:
    if bound.errors is None or not requests:
        return []
    lost = sum(not request.answered for request in requests)
    why = f"{lost} of {len(requests)} requests got no text"
    return [("broken" if lost > bound.errors * len(requests) else "held", why)]


def _words(bound: Bound, figures: Figures) -> list[Judged]:
    if bound.wer is None:
        return []
    wer = figures.get(_WER, "it was not computed")
    if not isinstance(wer, Metric):
        return [("undecided", f"there is no WER: {wer}")]
    why = f"WER is {100 * wer.value:.3g} %, asked for {bound.wer:g} %"
    return [("broken" if 100 * wer.value > bound.wer else "held", why)]
