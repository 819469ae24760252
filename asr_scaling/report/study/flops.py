"""Operations of encoder and decoding step: with attention, and as the study counted them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.system_grid import SystemColumn, counted_points
from asr_scaling.report.cells import figure, missing, number, words
from asr_scaling.report.document import Cell, Column, Row, Table, word_columns
from asr_scaling.report.study import published

_TRUE = "flops/encoder"
_THOP = "flops/encoder_thop"
_STEP = "flops/decoder_step"
_GIGA = 1e-9


def encoder_flops(systems: Sequence[SystemColumn]) -> Table:
    """A row a system; where the encoder has no fixed window, a row for every length."""
    extra = published.has_any(systems)
    unit, notes = "GFLOP or GMAC", ["Operations of one utterance's encoder; a multiply-add is two."]
    columns = (
        *word_columns("System", "Audio"),
        Column("With attention", "GFLOP"),
        Column("By the study's convention", unit, meaning=published.CONVENTIONS),
        *published.columns(systems, unit, "by the convention"),
    )
    rows = []
    for point in counted_points(systems, _TRUE):
        audio = point.length if point.window_s is None else f"one window of {point.window_s:g} s"
        cells = (
            words(point.system),
            words(audio),
            figure(point, _TRUE, _GIGA),
            *_conventional(point)[: 3 if extra else 1],
        )
        rows.append(Row(cells, {"model": point.system}))
    notes += [published.CONVENTIONS] if extra else []
    caption = "Operations of the encoder"
    return Table("encoder-operations", caption, columns, tuple(rows), tuple(notes))


def decoder_flops(systems: Sequence[SystemColumn]) -> Table:
    """A row for every system that decodes step by step."""
    extra = published.columns(systems, "GFLOP")
    columns = (*word_columns("System"), Column("One decoding step", "GFLOP"), *extra)
    rows = []
    first = {point.system: point for point in reversed(counted_points(systems, _STEP))}
    for point in reversed(first.values()):
        cells = [words(point.system), figure(point, _STEP, _GIGA)]
        if extra:
            theirs = published.DECODER_STEP_FLOP.get(published.name_of(point))
            cells += published.beside(point, _STEP, theirs, _GIGA)
        rows.append(Row(tuple(cells), {"model": point.system}))
    notes = (published.PARTIAL_STEP,) if extra else ()
    caption = "Operations of one decoding step"
    return Table("decoder-operations", caption, columns, tuple(rows), notes)


def _conventional(point: Point) -> tuple[Cell, ...]:
    """Operations by the study's convention, the study's figure, and their ratio.

    The study printed thop's count, for wav2vec2 half of it: multiply-adds.
    """
    name = published.name_of(point)
    if name == published.WAV2VEC2:
        printed = published.WAV2VEC2_MAC.get(point.length_s or 0.0)
        scale, unit = 0.5, "GMAC"
    else:
        printed = published.ENCODER_FLOP.get(name)
        scale, unit = 1.0, "GFLOP"
    ours, theirs = figure(point, _THOP, scale * _GIGA), published.NOT_IN_STUDY
    ratio = theirs
    if printed is not None:
        counted, theirs = point.value(_THOP), number(printed, None, _GIGA)
        ratio = missing("not counted") if counted is None else number(counted * scale / printed)
    return (ours if ours.sort is None else replace(ours, text=f"{ours.text} {unit}"), theirs, ratio)
