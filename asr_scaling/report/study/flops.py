"""Operations of encoder and decoding step: with attention, and as the study counted them."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.grid import SystemColumn, counted_points
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import figure, missing, number, words
from asr_scaling.report.document import Cell, Column, Row, Table
from asr_scaling.report.study import published

_TRUE, _THOP, _STEP = "flops/encoder", "flops/encoder_thop", "flops/decoder_step"
_GIGA = 1e-9


def encoder_flops(found: Sequence[SystemColumn]) -> Table:
    """A row a system; where the encoder has no fixed window, a row for every length."""
    extra = any(published.name_of(column.any) for column in found)
    theirs = (
        Column("Study", "GFLOP or GMAC", meaning=published.SOURCE),
        Column("Ratio", "by the convention"),
    )
    columns = (
        Column("System", numeric=False), Column("Audio", numeric=False), Column("With attention", "GFLOP"),
        Column("By the study's convention", "GFLOP or GMAC", meaning=published.CONVENTIONS), *(theirs if extra else ()),
    )  # fmt: skip
    rows = []
    for point in counted_points(found, _TRUE):
        printed, scale, unit = _printed(point)
        cells = [
            words(point.system),
            words(_audio(point)),
            figure(point, _TRUE, _GIGA),
            _conventional(point, scale, unit),
        ]
        if extra:
            cells += _beside(point, printed, scale)
        rows.append(Row(tuple(cells), {"model": point.system}))
    notes = ["Operations of one utterance's encoder; a multiply-add is two."] + (
        [published.CONVENTIONS] if extra else []
    )
    return Table(
        "encoder-operations", "Operations of the encoder", columns, tuple(rows), tuple(notes)
    )


def decoder_flops(found: Sequence[SystemColumn]) -> Table:
    """A row for every system that decodes step by step."""
    extra = published.columns(found, "GFLOP")
    columns = (Column("System", numeric=False), Column("One decoding step", "GFLOP"), *extra)
    rows = []
    first = {point.system: point for point in reversed(counted_points(found, _STEP))}
    for point in reversed(first.values()):
        cells = [words(point.system), figure(point, _STEP, _GIGA)]
        if extra:
            theirs = published.DECODER_STEP_FLOP.get(published.name_of(point) or "")
            cells += published.beside(point, _STEP, theirs, _GIGA)
        rows.append(Row(tuple(cells), {"model": point.system}))
    notes = (published.PARTIAL_STEP,) if extra else ()
    return Table(
        "decoder-operations", "Operations of one decoding step", columns, tuple(rows), notes
    )


def _audio(point: Point) -> str:
    return point.length if point.window_s is None else f"one window of {point.window_s:g} s"


def _printed(point: Point) -> tuple[float | None, float, str]:
    """The study's figure, what thop's count is multiplied with to be comparable, and the unit it is
    in then.
    """
    name = published.name_of(point)
    if name == published.WAV2VEC2:
        return published.WAV2VEC2_MAC.get(point.length_s or 0.0), 0.5, "GMAC"
    return published.ENCODER_FLOP.get(name or ""), 1.0, "GFLOP"


def _conventional(point: Point, scale: float, unit: str) -> Cell:
    cell = figure(point, _THOP, scale * _GIGA)
    return Cell(f"{cell.text} {unit}", cell.sort, cell.note) if cell.sort is not None else cell


def _beside(point: Point, printed: float | None, scale: float) -> list[Cell]:
    if printed is None:
        return [missing("not in the study")] * 2
    ours = point.value(_THOP)
    ratio = missing("not counted") if ours is None else number(ours * scale / printed)
    return [number(printed, None, _GIGA), ratio]
