"""What the search found: answers, waterfalls, what was tried, what nothing beats, the rest."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.comparison.word_loss_text import points_of_wer
from asr_scaling.analysis.pareto import front_in_metrics
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.reproduce import command
from asr_scaling.core.judged import judged
from asr_scaling.report.cells import count, figure, latency, memory, missing, number, wer, words
from asr_scaling.report.document import (
    Block,
    Cell,
    Column,
    Command,
    Row,
    Section,
    Table,
    Text,
    word_columns,
)
from asr_scaling.report.fields import Field, field, field_table, text
from asr_scaling.report.optimise.waterfall import drawn
from asr_scaling.report.optimise.wording import limited, open_questions, verdict
from asr_scaling.search.outcome import Answer, Outcome, Tried
from asr_scaling.search.searched_points import comparable, point_of
from asr_scaling.util.groups import grouped

_PAIRED = "RTFx over the baseline's of the same stage, paired by speech"
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


def sections(points: Sequence[Point], outcome: Outcome | None) -> tuple[Section, ...]:
    """The section, none where the points are of no search."""
    return (section(points, outcome),) if outcome else ()


def section(points: Sequence[Point], outcome: Outcome) -> Section:
    """Answers first."""
    blocks = [block for answer in outcome.answers for block in _answer(points, answer)]
    blocks += [_tried(points, outcome), *_pareto(points), *_left(outcome)]
    spent = f"The search took {outcome.spent_s / 60:.1f} of {outcome.minutes:g} minutes."
    return Section(
        "optimise",
        "What the search found",
        (*blocks, Text(" ".join([spent, *limited(outcome), *outcome.notes]))),
    )


def _answer(points: Sequence[Point], answer: Answer) -> list[Block]:
    point = point_of(points, answer.winner, answer.stage)
    blocks: list[Block] = [Text(f"**{verdict(answer)}**")]
    blocks += map(Text, open_questions(answer))
    if point and answer.winner != answer.baseline:
        blocks.append(Command(command(point)))
    if answer.steps and point:
        blocks.append(drawn(answer, point.keys))
    return blocks


def _tried(points: Sequence[Point], outcome: Outcome) -> Table:
    columns = (
        Column(
            "Stage",
            numeric=False,
            meaning="search, semifinal or final",
        ),
        Column("Batch"),
        *word_columns("What ran"),
        Column("Speed", "× baseline", meaning=_PAIRED),
        Column("WER", "points", meaning="change against the baseline, on the same speech"),
        Column("RTFx"),
        Column("Latency", "ms"),
        Column("Energy", "J/s", meaning="joules per second of audio"),
        Column("Peak memory", "MB"),
    )
    rows = tuple(_row(points, tried) for tried in outcome.tried)
    note = (
        "The final is measured with the whole budget in turns with the baseline, after its entries "
        "were chosen by the semifinal. The search measures few utterances, one entry after the "
        "other: it decides what is tried next."
    )
    return Table("optimise-tried", "What was tried", columns, rows, (note,))


def _row(points: Sequence[Point], tried: Tried) -> Row:
    gain, point = tried.gain, point_of(points, tried.entry, tried.stage)
    note = "" if gain.interval else "too few calls for an interval"
    cells = (
        words(tried.stage),
        count(tried.entry.batch),
        words(tried.entry.candidate.label),
        number(gain.factor, gain.interval, note=note),
        missing("no WER is known") if gain.loss is None else words(points_of_wer(gain.loss)),
        *(_figures(point) if point else [missing("its record is not here")] * 4),
    )
    return Row(cells, point.keys if point else {})


def _figures(point: Point) -> list[Cell]:
    return [
        figure(point, "throughput/rtfx"),
        latency(point),
        figure(point, "energy/per_audio_second_j"),
        memory(point),
    ]


def _pareto(points: Sequence[Point]) -> list[Block]:
    """Of the final and of the search, each on the same speech and one kind of machine."""
    final = _front(comparable(points, "final"), "final")
    search = _front(comparable(points, "search"), "search")
    return [table for table in (final, search) if table]


def _front(points: Sequence[Point], stage: str) -> Table | None:
    if not points:
        return None
    best, axes = front_in_metrics(points, lambda point: judged(point.tags, point.values))
    if not axes:
        return None
    fields: tuple[Field[Point], ...] = (
        field("Batch", "", lambda point: count(point.batch)),
        text("What ran", lambda point: " + ".join((point.engine, *point.optimisations))),
        field("RTFx", "", lambda point: _figures(point)[0]),
        field("Latency", "ms", lambda point: _figures(point)[1]),
        field("Energy", "J/s", lambda point: _figures(point)[2]),
        field("Peak memory", "MB", lambda point: _figures(point)[3]),
        field("WER", "%", wer),
    )
    names = ", ".join(_AXIS_NAMES[name] for name in axes)
    notes = [f"Axes: {names}; batches compete with one another."]
    optional = ("energy/per_audio_second_j", "quality/wer")
    unknown = [_AXIS_NAMES[name] for name in optional if name not in axes]
    notes += [f"Not known of every point, so no axis: {', '.join(unknown)}."] if unknown else []
    return field_table(
        f"optimise-pareto-{stage}",
        f"Pareto set of the {stage}: {len(best)} of {len(points)} that nothing beats in everything",
        fields,
        sorted(best, key=lambda point: -(point.judged("throughput/rtfx") or 0.0)),
        keys=lambda point: point.keys,
        notes=notes,
    )


def _left(outcome: Outcome) -> list[Table]:
    """What was refused, failed, too wrong or not tried: batches of one reason joined."""
    groups = grouped(outcome.left, lambda left: (left.kind, left.entry.candidate.label, left.why))
    rows = []
    for (kind, label, why), members in sorted(groups.items(), key=lambda item: item[0]):
        batches = ", ".join(str(left.entry.batch) for left in members)
        rows.append(Row((words(kind), words(label), words(batches), words(why))))
    columns = word_columns("Why", "What", "Batch", "Reason")
    return [Table("optimise-left", "Refused, or not tried", columns, tuple(rows))] if rows else []
