"""What a measurement found of each of its metrics, as findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings

Figures = dict[str, Metric | str]
"""Name of a metric → its value, or one sentence why it has none."""


def findings_of(figures: Figures, **others: Any) -> Findings:
    """Findings with the ``figures``; ``others`` are further fields of Findings."""
    metrics = tuple(figure for figure in figures.values() if isinstance(figure, Metric))
    reasons = {name: why for name, why in figures.items() if isinstance(why, str)}
    return Findings(metrics, reasons, **others)


def nothing_of(names: Iterable[str], why: str) -> Findings:
    """Findings without a figure of any of the ``names``."""
    return Findings(unavailable=dict.fromkeys(names, why))
