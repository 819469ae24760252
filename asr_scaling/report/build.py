"""Points → the report, and the report → its files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from asr_scaling.analysis.caveats import error_rates, several_hosts, several_kinds
from asr_scaling.analysis.format import why_missing
from asr_scaling.analysis.interval_scope import interval_scope
from asr_scaling.analysis.looping import looping
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.analysis.usual_state import changed_by_state
from asr_scaling.core.judged import USUAL
from asr_scaling.core.memory_parts import memory_parts
from asr_scaling.core.option_checks import writable
from asr_scaling.report import gains, method, pareto
from asr_scaling.report import recommendations as answer
from asr_scaling.report.bottlenecks import section as bottlenecks
from asr_scaling.report.capacity import section as capacity
from asr_scaling.report.cells import (
    as_it_was,
    batch_cell,
    figure,
    length_cell,
    memory,
    missing,
    wer,
    words,
)
from asr_scaling.report.document import (
    Bullets,
    Cell,
    Column,
    Document,
    Figure,
    Section,
    Text,
)
from asr_scaling.report.fields import Field, field, field_table
from asr_scaling.report.modules import section as modules
from asr_scaling.report.optimise import section as optimise
from asr_scaling.report.output.csv_file import write_csv, write_loads
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.output.html import ALL_POINTS, page
from asr_scaling.report.output.markdown import markdown
from asr_scaling.report.output.svg import drawn
from asr_scaling.report.output.text_marks import unmarked
from asr_scaling.report.scaling import section as scaling
from asr_scaling.report.study import section as study
from asr_scaling.search.outcome import Outcome
from asr_scaling.search.serving.outcome import Outcome as Ways
from asr_scaling.util.cache import write_atomic

_DPI = 150
_MOST_DAMAGED = 20
"""Of files that are named."""


def document(
    points: Sequence[Point],
    budgets: Budgets,
    damaged: Sequence[object] = (),
    optimised: Outcome | None = None,
    served: Ways | None = None,
) -> Document:
    """The report on ``points``: answers first, then what they rest on, then every point.

    damaged: a sentence for each record that can't be read.
    optimised, served: what the search found that measured them: for the fastest system, or for the
        way to serve that holds most.
    """
    from matplotlib import rc_context

    style = Style.of(points)
    with rc_context({"text.parse_math": False}):  # a dollar sign in a name is no formula
        sections = (
            answer.section(points, budgets, style),
            *capacity.sections(points, style, served),
            *optimise.sections(points, optimised),
            *modules.sections(points),
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
    several = len({point.host for point in points}) > 1
    host = [(Column("Host", numeric=False), _host)] if several else []
    invented = [_INVENTED] if any(_INVENTED_METRIC in point.values for point in points) else []
    fields = (*_WHO, *host, *capacity.load_fields(points), *_fields(points), *invented)
    notes = [
        "±: the larger half of the 95 % interval; –: not available, with the reason.",
        interval_scope(point.tags for point in points if point.intervals),
        *changed_by_state(points),
    ]
    if random := dict.fromkeys(point.system for point in points if point.random):
        notes.append(
            f"Random weights, whose speed holds and whose texts mean nothing: {', '.join(random)}."
        )
    notes += [*several_kinds(points), *several_hosts(points), *error_rates(points)]
    notes += looping(points)
    notes += [f"Left out, since it can't be read: {reason}" for reason in damaged[:_MOST_DAMAGED]]
    if (more := len(damaged) - _MOST_DAMAGED) > 0:
        notes.append(f"Left out, since they can't be read: {more} more.")
    notes.append("metrics.csv has every metric of every point, with the ends of its interval.")
    if any(point.loads for point in points):
        notes.append("loads.csv has every load of every point, in the same way.")
    table = field_table(
        ALL_POINTS,
        "Every measured point",
        fields,
        points,
        keys=lambda point: point.keys,
        notes=filter(None, notes),
    )
    return Section("points", "All points", (table,))


def write(document: Document, points: Sequence[Point], folder: Path) -> list[Path]:
    """Write report.html, report.md, metrics.csv and figures/<name>.svg and .png to ``folder``.

    Where requests arrived, loads.csv too.
    Raises ConfigError when they can't be written.
    """
    blocks = [block for section in document.sections for block in section.blocks]
    figures = {block.name: block for block in blocks if isinstance(block, Figure)}
    drawings = {name: drawn(figure) for name, figure in figures.items()}
    texts = {"report.html": page(document, drawings), "report.md": markdown(document)}
    texts |= {f"figures/{name}.svg": text for name, text in drawings.items()}
    with writable(folder, "name another folder with -o"):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomic(folder / name, text.encode())
        write_csv(points, folder / "metrics.csv")
        loads = write_loads(points, folder / "loads.csv")
        for name, figure in figures.items():
            path = folder / "figures" / f"{name}.png"
            figure.drawing.savefig(path, dpi=_DPI, metadata={"Software": None})
    pictures = [f"figures/{name}.{kind}" for kind in ("svg", "png") for name in figures]
    tables = ["metrics.csv", *(["loads.csv"] if loads else [])]
    return [folder / name for name in ("report.html", "report.md", *tables, *pictures)]


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
    starts = sorted(point.started_at for point in points if point.started_at)
    days = [datetime.fromtimestamp(at, UTC).date() for at in (*starts[:1], *starts[-1:])]
    when = " to ".join(f"{day.day} {day:%B %Y}" for day in dict.fromkeys(days))
    size = f"{len(points):,} points" if len(points) != 1 else "1 point"
    if failed := sum(not point.ok for point in points):
        size += f", {failed:,} of them not measured to the end"
    subtitle = " · ".join(filter(None, (_few(hosts), when, size)))
    return f"How speech recognition scales on {_few(machines)}", subtitle


def _few(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} others"


def _host(point: Point) -> Cell:
    return words(point.host, point.machine) if point.host else missing("not recorded")


def _system(point: Point) -> Cell:
    note = "random weights: speed holds, texts mean nothing" if point.random else ""
    return words(point.system, note)


def _metric(
    heading: str, unit: str, name: str, factor: float = 1.0, meaning: str = ""
) -> Field[Point]:
    return field(heading, unit, lambda point: figure(point, name, factor), meaning)


def _raw(
    heading: str, unit: str, name: str, factor: float = 1.0, meaning: str = ""
) -> Field[Point]:
    return field(heading, unit, lambda point: as_it_was(point, name, factor), meaning)


def _usual(heading: str, unit: str, name: str, factor: float = 1.0) -> Field[Point]:
    """A column of the same at the usual state; "–" where that is not known."""

    def show(point: Point) -> Cell:
        if point.at_usual(name) is None:
            return missing(why_missing(point, f"{USUAL}{name}"))
        return figure(point, name, factor)

    meaning = "at this machine's usual state: what systems are ranked by"
    return field(f"{heading}, usual state", unit, show, meaning)


def _fields(points: Sequence[Point]) -> list[Field[Point]]:
    """``_FIELDS``, and what is at the usual state beside what was measured, where any is."""
    fields = list(_FIELDS)
    for heading, unit, name, factor in _ADJUSTED:
        if any(point.at_usual(name) for point in points):
            place = next(i for i, (column, _) in enumerate(fields) if column.heading == heading)
            fields.insert(place + 1, _usual(heading, unit, name, factor))
    return fields


def _memory_parts(point: Point) -> Cell:
    parts = memory_parts(point.values)
    if parts is None:
        return missing(why_missing(point, "memory/libraries_rss_bytes"))
    return words(" + ".join(f"{part / 1e6:.0f}" for part in parts))


_WHO: tuple[Field[Point], ...] = (
    (Column("System", numeric=False), _system),
    (Column("Device", numeric=False), lambda point: words(point.device, point.hardware)),
)
_FIELDS: tuple[Field[Point], ...] = (
    field("Length", "s", length_cell),
    field("Batch", "", batch_cell),
    (
        Column("Status", numeric=False),
        lambda point: words(point.status.replace("_", " "), point.reason or ""),
    ),
    _raw("RTFx", "", "throughput/rtfx", 1.0, "seconds of audio transcribed per second"),
    _raw("p50", "ms", "latency/p50_s", 1e3, "median time of a call"),
    _metric(
        "First token", "ms", "latency/first_token_s", 1e3, "median time to the first decoded token"
    ),
    _metric(
        "Per token",
        "ms",
        "latency/per_token_s",
        1e3,
        "median time of a decoding step after the first",
    ),
    field("WER", "%", wer, "word errors over reference words"),
    field(
        "Peak memory",
        "MB",
        memory,
        "on an accelerator what it allocated, else the whole process with only this system in it",
    ),
    (
        Column(
            "Of the process",
            "MB",
            numeric=False,
            meaning="libraries + weights + what calls and loading need beyond them",
        ),
        _memory_parts,
    ),
    _metric(
        "Energy",
        "J/utt.",
        "energy/per_sample_j",
        1.0,
        "per utterance, the idle machine's share included",
    ),
    _metric(
        "Work",
        "GFLOP/utt.",
        "flops/utterance",
        1e-9,
        "operations on the device for one utterance",
    ),
)
"""Of the table of all points, behind system and device."""
_ADJUSTED = (("RTFx", "", "throughput/rtfx", 1.0), ("p50", "ms", "latency/p50_s", 1e3))
"""Of these, what has a figure at the usual state."""
_INVENTED_METRIC = "quality/invented_words_per_hour"
_INVENTED = _metric(
    "Invented", "words/h", _INVENTED_METRIC, 1.0, "words in hypotheses of speech that is silent"
)
"""Only where some reference is empty."""
