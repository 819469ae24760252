"""Points → the report, and the report → its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from asr_scaling.analysis.caveats import several_hosts, several_kinds, synthetic
from asr_scaling.analysis.format import memory_metric
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.errors import ConfigError
from asr_scaling.report import gains, method, pareto
from asr_scaling.report import recommendations as answer
from asr_scaling.report.bottlenecks import section as bottlenecks
from asr_scaling.report.cells import batch_cell, figure, length_cell, missing, wer, words
from asr_scaling.report.document import (
    Bullets,
    Cell,
    Column,
    Document,
    Figure,
    Row,
    Section,
    Table,
    Text,
)
from asr_scaling.report.optimise import section as optimise
from asr_scaling.report.output.csv_file import write_csv
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.output.html import ALL_POINTS, page
from asr_scaling.report.output.inline import unmarked
from asr_scaling.report.output.markdown import markdown
from asr_scaling.report.output.svg import drawn
from asr_scaling.report.scaling import section as scaling
from asr_scaling.report.study import section as study
from asr_scaling.search.outcome import Outcome
from asr_scaling.util.cache import write_atomic

_DPI = 150
_MOST_DAMAGED = 20
"""Of files that are named."""
_COLUMNS: tuple[tuple[Column, Callable[[Point], Cell]], ...] = (
    (Column("Length", "s"), length_cell),
    (Column("Batch"), batch_cell),
    (
        Column("Status", numeric=False),
        lambda point: words(point.status.replace("_", " "), point.reason or ""),
    ),
    (
        Column("RTFx", "", meaning="seconds of audio transcribed per second"),
        partial(figure, metric="throughput/rtfx"),
    ),
    (
        Column("p50", "ms", meaning="median time of a call"),
        partial(figure, metric="latency/p50_s", factor=1e3),
    ),
    (
        Column("First token", "ms", meaning="median time to the first decoded token"),
        partial(figure, metric="latency/first_token_s", factor=1e3),
    ),
    (
        Column("Per token", "ms", meaning="median time of a decoding step after the first"),
        partial(figure, metric="latency/per_token_s", factor=1e3),
    ),
    (Column("WER", "%", meaning="word errors over reference words"), wer),
    (
        Column(
            "Peak memory", "MB", meaning="on an accelerator what it allocated, else the process"
        ),
        lambda point: figure(point, memory_metric(point), 1e-6),
    ),
    (
        Column("Energy", "J/utt.", meaning="per utterance, the idle machine's share included"),
        partial(figure, metric="energy/per_sample_j"),
    ),
    (
        Column("Work", "GFLOP/utt.", meaning="operations on the device for one utterance"),
        partial(figure, metric="flops/utterance", factor=1e-9),
    ),
)
"""Of the table of all points, behind system and device."""


def document(
    points: Sequence[Point],
    budgets: Budgets,
    optimised: Outcome | None = None,
    damaged: Sequence[object] = (),
) -> Document:
    """The report on ``points``: answers first, then what they rest on, then every point.

    ``optimised``: what the search found that measured them. ``damaged``: a sentence for each record
    that was left out because it can't be read.
    """
    from matplotlib import rc_context

    style = Style.of(points)
    with rc_context({"text.parse_math": False}):  # a dollar sign in a name is no formula
        sections = (
            *optimise.sections(points, optimised),
            answer.section(points, budgets, style),
            study.section(points, style),
            scaling.section(points, style),
            bottlenecks.section(points, style),
            *gains.sections(points),
            pareto.section(points, style),
            method.section(points),
            all_points(points, damaged),
        )
    return Document(*_title(points), sections)


def all_points(points: Sequence[Point], damaged: Sequence[object] = ()) -> Section:
    """A row a point, and what is none because it can't be read."""
    hosts = (
        ((Column("Host", numeric=False), _host),)
        if len({point.host for point in points}) > 1
        else ()
    )
    shown = (*hosts, *_COLUMNS)
    columns = (
        Column("System", numeric=False),
        Column("Device", numeric=False),
        *(column for column, _ in shown),
    )
    rows = tuple(
        Row((*_who(point), *(show(point) for _, show in shown)), point.keys) for point in points
    )
    notes = ["±: the larger half of the 95 % interval; –: not available, with the reason."]
    random = dict.fromkeys(point.system for point in points if point.random)
    if random:
        notes.append(
            f"Random weights, whose speed holds and whose texts mean nothing: {', '.join(random)}."
        )
    notes += [*several_kinds(points), *several_hosts(points), *synthetic(points)]
    notes += [f"Left out, since it can't be read: {each}" for each in damaged[:_MOST_DAMAGED]]
    if (more := len(damaged) - _MOST_DAMAGED) > 0:
        notes.append(f"Left out, since they can't be read: {more} more.")
    notes.append("metrics.csv has every metric of every point, with the ends of its interval.")
    table = Table(ALL_POINTS, "Every measured point", columns, rows, tuple(notes))
    return Section("points", "All points", (table,))


def write(document: Document, points: Sequence[Point], folder: Path) -> list[Path]:
    """The report's files in ``folder``, made where it is missing: report.html, report.md,
    metrics.csv, and each figure as figures/<name>.svg and .png. ConfigError when they can't be
    written.
    """
    figures = [
        block
        for section in document.sections
        for block in section.blocks
        if isinstance(block, Figure)
    ]
    drawings = {each.name: drawn(each) for each in figures}
    texts = {"report.html": page(document, drawings), "report.md": markdown(document)}
    texts |= {f"figures/{name}.svg": text for name, text in drawings.items()}
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomic(folder / name, text.encode())
        write_csv(points, folder / "metrics.csv")
        for each in figures:
            each.drawing.savefig(
                folder / "figures" / f"{each.name}.png", dpi=_DPI, metadata={"Software": None}
            )
    except OSError as error:
        raise ConfigError(
            f"{folder} can't be written ({error.strerror}): name another folder with -o."
        ) from error
    pictures = [f"figures/{each.name}.png" for each in figures]
    return [
        folder / name
        for name in ("report.html", "report.md", "metrics.csv", *list(texts)[2:], *pictures)
    ]


def first_words(document: Document) -> str:
    """What the report says first, as one line for a terminal."""
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Text):
                return unmarked(block.text)
            if isinstance(block, Bullets) and block.items:
                return unmarked(block.items[0])
    return ""


def _title(points: Sequence[Point]) -> tuple[str, str]:
    machines = list(dict.fromkeys(point.hardware for point in points))
    hosts = list(dict.fromkeys(point.host for point in points if point.host))
    days = sorted(
        {
            datetime.fromtimestamp(point.started_at, UTC).date()
            for point in points
            if point.started_at
        }
    )
    when = " to ".join(
        f"{day.day} {day:%B %Y}" for day in (days[:1] if len(days) < 2 else (days[0], days[-1]))
    )
    failed = sum(not point.ok for point in points)
    size = f"{len(points):,} points" if len(points) != 1 else "1 point"
    said = [
        _few(hosts),
        when,
        size + (f", {failed:,} of them not measured to the end" if failed else ""),
    ]
    return f"How speech recognition scales on {_few(machines)}", " · ".join(filter(None, said))


def _few(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} others"


def _host(point: Point) -> Cell:
    return words(point.host, point.machine) if point.host else missing("not recorded")


def _who(point: Point) -> tuple[Cell, Cell]:
    note = "random weights: speed holds, texts mean nothing" if point.random else ""
    return words(point.system, note), words(point.device, point.hardware)
