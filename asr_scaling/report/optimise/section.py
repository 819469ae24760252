"""The part of a report about what to optimise: answers, waterfalls, what was tried, what nothing
beats, the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.format import memory_metric
from asr_scaling.analysis.pareto import front_in_metrics
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.reproduce import command
from asr_scaling.report.cells import count, figure, latency, missing, number, wer, words
from asr_scaling.report.document import Block, Cell, Column, Command, Row, Section, Table, Text
from asr_scaling.report.optimise.answers import verdict, wer_change
from asr_scaling.report.optimise.waterfall import drawn
from asr_scaling.search.measured import comparable, point_of
from asr_scaling.search.outcome import Answer, Left, Outcome, Tried

_TITLE = "What to optimise"
_AXIS_NAMES = {
    "throughput/rtfx": "RTFx",
    "latency/p95_s": "p95 of latency",
    "latency/p50_s": "median latency (p95 is not bounded by so few calls)",
    "latency/mean_s": "mean latency (no percentile is bounded by so few calls)",
    "energy/per_audio_second_j": "joules per second of audio",
    "memory/peak_device_bytes": "device memory",
    "memory/peak_rss_bytes": "peak memory",
    "quality/wer": "WER",
}


def sections(points: Sequence[Point], found: Outcome | None) -> tuple[Section, ...]:
    """The section, none where the points are of no search."""
    return (section(points, found),) if found else ()


def section(points: Sequence[Point], found: Outcome) -> Section:
    """Answers first."""
    blocks: list[Block] = []
    for answer in found.answers:
        blocks += _answer(points, answer)
    blocks += [_tried(points, found), *_pareto(points), *_left(found)]
    spent = f"The search took {found.spent_s / 60:.1f} of {found.minutes:g} minutes."
    return Section("optimise", _TITLE, (*blocks, Text(" ".join([spent, *found.notes]))))


def _answer(points: Sequence[Point], answer: Answer) -> list[Block]:
    point = point_of(points, answer.winner, answer.stage)
    blocks: list[Block] = [Text(f"**{verdict(answer)}**")]
    if point and answer.winner != answer.baseline:
        blocks.append(Command(command(point)))
    if answer.steps and point:
        blocks.append(drawn(answer, point.keys))
    return blocks


def _tried(points: Sequence[Point], found: Outcome) -> Table:
    columns = (
        Column("Stage", numeric=False, meaning="one change alone, winners together, or the final"),
        Column("Batch"),
        Column("What ran", numeric=False),
        Column(
            "Speed",
            "× baseline",
            meaning="RTFx over the baseline's of the same stage, paired by speech",
        ),
        Column("WER", "points", meaning="change against the baseline, on the same speech"),
        Column("RTFx"),
        Column("Latency", "ms"),
        Column("Energy", "J/s", meaning="joules per second of audio"),
        Column("Peak memory", "MB"),
    )
    rows = [_row(points, each) for each in found.tried]
    notes = (
        "The final is measured with the whole budget in turns with the baseline; other stages with "
        "few utterances, "
        "one after the other: they decide what is tried next.",
    )
    return Table("optimise-tried", "What was tried", columns, tuple(rows), notes)


def _row(points: Sequence[Point], each: Tried) -> Row:
    gain, point = each.gain, point_of(points, each.entry, each.stage)
    change = (
        missing("no WER is known")
        if gain.wer is None
        else words(wer_change(gain).removeprefix("WER ").removesuffix(" points"))
    )
    cells = (
        words(each.stage),
        count(each.entry.batch),
        words(each.entry.candidate.label),
        number(
            gain.factor,
            gain.interval,
            note="" if gain.interval else "too few calls for an interval",
        ),
        change,
        *(_figures(point) if point else [missing("its record is not here")] * 4),
    )
    return Row(cells, point.keys if point else {})


def _figures(point: Point) -> list[Cell]:
    return [
        figure(point, "throughput/rtfx"),
        latency(point),
        figure(point, "energy/per_audio_second_j"),
        figure(point, memory_metric(point), 1e-6),
    ]


def _pareto(points: Sequence[Point]) -> list[Block]:
    """Of the final where there was one, else of the search: their figures rest on the same speech,
    and on one kind of machine, that of the first point.
    """
    stages = {
        "final": comparable(points, "final"),
        "search": comparable(points, "alone", "together"),
    }
    tables = [_front(those, name) for name, those in stages.items() if those]
    return [table for table in tables if table is not None]


def _front(points: Sequence[Point], stage: str) -> Table | None:
    best, axes = front_in_metrics(points, lambda point: point.values)
    if not axes:
        return None
    columns = (
        Column("Batch"), Column("What ran", numeric=False), Column("RTFx"), Column("Latency", "ms"),
        Column("Energy", "J/s"), Column("Peak memory", "MB"), Column("WER", "%"),
    )  # fmt: skip
    rows = [
        Row(
            (count(p.batch), words(" + ".join((p.engine, *p.optimisations))), *_figures(p), wer(p)),
            p.keys,
        )
        for p in sorted(best, key=lambda p: -p.values.get("throughput/rtfx", 0.0))
    ]
    unknown = [
        _AXIS_NAMES[name]
        for name in ("energy/per_audio_second_j", "quality/wer")
        if name not in axes
    ]
    notes = [
        f"Axes: {', '.join(_AXIS_NAMES[name] for name in axes)}; batches compete with one another."
    ]
    notes += [f"Not known of every point, so no axis: {', '.join(unknown)}."] if unknown else []
    return Table(
        f"optimise-pareto-{stage}",
        f"Pareto set of the {stage}: {len(best)} of {len(points)} that nothing beats in everything",
        columns,
        tuple(rows),
        tuple(notes),
    )


def _left(found: Outcome) -> list[Table]:
    """What makes no sense here, is not installed, failed, was too wrong or not tried: batches of
    one reason joined.
    """
    groups: dict[tuple[str, str, str], list[int]] = {}
    for each in found.left:
        groups.setdefault(_reason(each), []).append(each.entry.batch)
    rows = [
        Row((words(kind), words(label), words(", ".join(map(str, batches))), words(why)))
        for (kind, label, why), batches in sorted(groups.items())
    ]
    columns = tuple(Column(name, numeric=False) for name in ("Why", "What", "Batch", "Reason"))
    return [Table("optimise-left", "Refused, or not tried", columns, tuple(rows))] if rows else []


def _reason(each: Left) -> tuple[str, str, str]:
    return each.kind, each.entry.candidate.label, each.why
