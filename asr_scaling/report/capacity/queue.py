"""How well a queue that is fitted to half of the loads foretells the other half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asr_scaling.analysis.capacity.curves import Curve
from asr_scaling.analysis.capacity.queue_model import QueueModel, queue_model
from asr_scaling.analysis.format import percent, plain
from asr_scaling.core.load_point import LoadPoint
from asr_scaling.report.cells import number, words
from asr_scaling.report.document import Block, Column, Row, Table, Text, word_columns

_MOST = 4
"""Systems of which a queue is fitted: each takes seconds."""
_ELSEWHERE = "elsewhere"
"""Weights of a server whose workers are not known."""
_Fitted = tuple[Curve, QueueModel]


def queue_blocks(curves: Sequence[Curve]) -> list[Block]:
    """What the queue of each of the first systems foretells; none where loads are too few.

    curves: of open loads, what holds most first.
    """
    found = list[_Fitted]()
    for curve in curves:
        if len(found) < _MOST and (model := _model(curve)) is not None:
            found.append((curve, model))
    if not found:
        return []
    said = [_sentence(curve, model) for curve, model in found]
    return [Text(" ".join(said)), _table(found)]


def _model(curve: Curve) -> QueueModel | None:
    if curve.point.weights == _ELSEWHERE:
        return None
    workers, most = curve.serving("workers"), curve.serving("max_batch")
    model = queue_model(_loads(curve), int(workers or 1), None if most is None else int(most))
    return model if model and model.predictions else None


def _loads(curve: Curve) -> list[LoadPoint]:
    """One load a rate: of two probes of one rate the queue would know the one by the other."""
    return [
        replace(step.loads[0], metrics=step.metrics, counted=step.counted) for step in curve.steps
    ]


def _sentence(curve: Curve, model: QueueModel) -> str:
    names = dict.fromkeys(prediction.name for prediction in model.predictions)
    errors = " and ".join(f"{name} within {percent(model.error(name), 2)}" for name in names)
    return f"A queue fitted to half of the loads of {curve.point.system} foretells {errors}."


def _table(found: Sequence[_Fitted]) -> Table:
    columns = (
        *word_columns("System"),
        Column("Due", "1/s", meaning="requests a second of a load that it was not fitted to"),
        *word_columns("Percentile"),
        Column("Measured", "s"),
        Column("Foretold", "s"),
        Column("Off by", "%", meaning="foretold over measured, less 1"),
    )
    rows = [
        Row(
            (
                words(curve.point.system),
                number(each.offered_per_s),
                words(each.name),
                number(each.measured_s),
                number(each.predicted_s),
                number(each.relative_error, None, 100.0),
            ),
            curve.point.keys,
        )
        for curve, model in found
        for each in model.predictions
    ]
    fitted = "; ".join(
        f"{curve.point.system} at {', '.join(map(plain, model.fitted_per_s))}/s"
        for curve, model in found
    )
    notes = (
        f"Fitted to {fitted}. Within: the median of the sizes of its errors. Loads that overloaded "
        "a system are of no steady queue and left out.",
    )
    return Table("queue", "What a queue foretells of other loads", columns, tuple(rows), notes)
