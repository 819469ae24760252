"""Points → the report, and the report → its files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from asr_scaling.cache import write_atomic
from asr_scaling.errors import ConfigError
from asr_scaling.report import answer, bottlenecks, method, pareto, scaling, study
from asr_scaling.report.cells import figure, words
from asr_scaling.report.document import Bullets, Cell, Column, Document, Figure, Row, Section, Table, Text
from asr_scaling.report.drawing import Style
from asr_scaling.report.html import ALL_POINTS, page
from asr_scaling.report.inline import unmarked
from asr_scaling.report.markdown import markdown
from asr_scaling.report.points import Point
from asr_scaling.report.scenarios import Budgets
from asr_scaling.report.svg import drawn
from asr_scaling.report.table_csv import write_csv

_DPI = 150
_METRICS: tuple[tuple[str, Column, float], ...] = (
    ("throughput/rtfx", Column("RTFx", "", meaning="seconds of audio transcribed per second"), 1),
    ("latency/p50_s", Column("p50", "ms", meaning="median time of a call"), 1e3),
    ("latency/first_token_s", Column("First token", "ms", meaning="median time to the first decoded token"), 1e3),
    ("latency/per_token_s", Column("Per token", "ms", meaning="median time of a decoding step after the first"), 1e3),
    ("quality/wer", Column("WER", "%", meaning="word errors over reference words"), 100),
    ("memory/", Column("Peak memory", "MB", meaning="on an accelerator what it allocated, else the process"), 1e-6),
    ("energy/per_sample_j", Column("Energy", "J/utt.", meaning="per utterance, the idle machine's share included"), 1),
    ("flops/utterance", Column("Work", "GFLOP/utt.", meaning="operations on the device for one utterance"), 1e-9),
)
_DEVICE, _PROCESS = "memory/peak_device_bytes", "memory/peak_rss_bytes"


def document(points: Sequence[Point], budgets: Budgets) -> Document:
    """The report on ``points``: answers first, then what they rest on, then every point."""
    style = Style.of(points)
    sections = (
        answer.section(points, budgets, style),
        study.section(points, style),
        scaling.section(points, style),
        bottlenecks.section(points, style),
        pareto.section(points, style),
        method.section(points),
        all_points(points),
    )
    return Document(*_title(points), sections)


def all_points(points: Sequence[Point]) -> Section:
    """A row a point."""
    names = ("System", "Device", "Length", "Batch", "Status")
    columns = (*(Column(name, numeric=name == "Batch") for name in names), *(column for _, column, _ in _METRICS))
    machines = len({point.hardware for point in points}) > 1
    rows = tuple(Row((*_identity(point, machines), *_figures(point)), point.keys) for point in points)
    notes = ["±: the larger half of the 95 % interval; –: not available, with the reason."]
    random = dict.fromkeys(point.system for point in points if point.random)
    if random:
        notes.append(f"Random weights, whose speed holds and whose texts mean nothing: {', '.join(random)}.")
    if any(point.synthetic and point.wer_known for point in points):
        notes.append("WER of synthetic speech compares systems with each other only.")
    notes.append("metrics.csv has every metric of every point, with the ends of its interval.")
    table = Table(ALL_POINTS, "Every measured point", columns, rows, tuple(notes))
    return Section("points", "All points", (table,))


def write(document: Document, points: Sequence[Point], folder: Path) -> list[Path]:
    """The report's files in ``folder``, made where it is missing: report.html, report.md, metrics.csv, and each figure
    as figures/<name>.svg and .png. ConfigError when they can't be written.
    """
    figures = [block for section in document.sections for block in section.blocks if isinstance(block, Figure)]
    drawings = {each.name: drawn(each) for each in figures}
    texts = {"report.html": page(document, drawings), "report.md": markdown(document)}
    texts |= {f"figures/{name}.svg": text for name, text in drawings.items()}
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomic(folder / name, text.encode())
        write_csv(points, folder / "metrics.csv")
        for each in figures:
            each.drawing.savefig(folder / "figures" / f"{each.name}.png", dpi=_DPI, metadata={"Software": None})
    except OSError as error:
        raise ConfigError(f"{folder} can't be written ({error.strerror}): name another folder with -o.") from error
    pictures = [f"figures/{each.name}.png" for each in figures]
    return [folder / name for name in ("report.html", "report.md", "metrics.csv", *list(texts)[2:], *pictures)]


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
    days = sorted({datetime.fromtimestamp(point.started_at, UTC).date() for point in points if point.started_at})
    when = " to ".join(f"{day.day} {day:%B %Y}" for day in (days[:1] if len(days) < 2 else (days[0], days[-1])))
    failed = sum(not point.ok for point in points)
    size = f"{len(points):,} points" if len(points) != 1 else "1 point"
    said = [_few(hosts), when, size + (f", {failed:,} of them not measured to the end" if failed else "")]
    return f"How speech recognition scales on {_few(machines)}", " · ".join(filter(None, said))


def _few(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} others"


def _identity(point: Point, machines: bool) -> tuple[Cell, ...]:
    return (
        words(point.system, "random weights: speed holds, texts mean nothing" if point.random else ""),
        words(point.device, point.hardware if machines else ""),
        Cell(point.length, point.length_s),
        Cell(str(point.batch), point.batch) if point.batch else Cell("–", None, "failed before its batch was known"),
        words(point.status.replace("_", " "), point.reason or ""),
    )


def _figures(point: Point) -> tuple[Cell, ...]:
    memory = _DEVICE if _DEVICE in point.values else _PROCESS
    return tuple(figure(point, memory if name == "memory/" else name, factor) for name, _, factor in _METRICS)
