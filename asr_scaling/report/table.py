"""Records as one table in the terminal: the points of a sweep side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from asr_scaling.record import RunRecord

_MISSING = "–"
_WORDS = {"weights": "weights", "batch": "per batch", "length": "length"}
"""What the title says behind a value that is the same in every row."""


def points_table(records: Sequence[RunRecord]) -> tuple[str, Table]:
    """One row a point; what is the same in every row stands in the title, the first of the two
    returned, and what no point has is left out.

    A dash: this point has no such figure; the notes or the record say why.
    """
    rows = [_identity(record) for record in records]
    varying = [key for key in rows[0] if key == "model" or len({row[key] for row in rows}) > 1]
    fixed = [f"{rows[0][key]} {_WORDS.get(key, '')}".strip() for key in rows[0] if key not in varying]
    methods = sorted({record.tags.get("energy/method", "") for record in records} - {""})
    synthetic = any(record.dataset.get("synthetic") for record in records)
    energy = f"J/utt.\n{', '.join(methods)}" if methods else "J/utt."
    candidates = _columns(energy, "synthetic\nspeech" if synthetic else "")
    columns = [(name, show) for name, show in candidates if any(show(record) != _MISSING for record in records)]
    table = Table(
        header_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for key in varying:
        table.add_column(key, justify="right" if key == "batch" else "left", no_wrap=True)
    for heading, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for record, row in zip(records, rows, strict=True):
        table.add_row(*(escape(row[key]) for key in varying), *(show(record) for _, show in columns), _status(record))
    return " · ".join(fixed), table


def notes(records: Iterable[RunRecord]) -> list[str]:
    """The reason of every failure, then each kind of caution once, with how many points carry it."""
    lines: list[str] = []
    messages: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if record.status != "ok":
            lines.append(f"{record.name}: {record.outcome}")
        for kind, caution in {c.kind: c for c in record.cautions}.items():
            messages.setdefault((kind, caution.advice), []).append(caution.message)
    for (kind, advice), said in messages.items():
        distinct = len(set(said))
        more = f" (and {distinct - 1} more like it)" if distinct > 1 else ""
        lines.append(f"{kind}, {len(said)} points: {said[0]}{more} {advice}")
    return lines


def _columns(energy: str, wer: str) -> list[tuple[str, Callable[[RunRecord], str]]]:
    return [
        ("RTFx", _number("throughput/rtfx", 1, ".1f")),
        ("p50\nms", _number("latency/p50_s", 1000, ".0f")),
        ("1st tok\nms", _number("latency/first_token_s", 1000, ".0f")),
        ("ms/tok", _number("latency/per_token_s", 1000, ".1f")),
        (f"WER %\n{wer}", _number("quality/wer", 100, ".1f")),
        ("RSS\nMB", _number("memory/peak_rss_bytes", 1e-6, ".0f")),
        ("weights\nMB", _number("memory/weights_bytes", 1e-6, ".0f")),
        (energy, _number("energy/per_sample_j", 1, ".1f")),
        ("GFLOP\n/utt.", _number("flops/utterance", 1e-9, ".1f")),
    ]


def _number(name: str, factor: float, form: str) -> Callable[[RunRecord], str]:
    def show(record: RunRecord) -> str:
        value = record.values.get(name)
        return _MISSING if value is None else format(value * factor, form)

    return show


def _identity(record: RunRecord) -> dict[str, str]:
    config = record.config
    length = config.get("dataset", {}).get("length_s")
    return {
        "model": str(config.get("model", {}).get("name", record.name)),
        "weights": str(record.system.get("facts", {}).get("weights", _MISSING)),
        "device": str(record.system.get("device", _MISSING)),
        "batch": str(config.get("batch", {}).get("size", _MISSING)),
        "length": "natural" if length is None else f"{length:g} s",
        "dataset": str(record.dataset.get("name", _MISSING)),
    }


def _status(record: RunRecord) -> str:
    return "ok" if record.status == "ok" else f"[red]{record.status.replace('_', ' ')}[/red]"
