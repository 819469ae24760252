"""Records as one table in the terminal: the points of a sweep side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.table import Table

from asr_scaling.record import RunRecord

_MISSING = "–"


def points_table(records: Sequence[RunRecord], title: str) -> Table:
    """One row a point. A figure that could not be measured is a dash; how energy was got is in its column's title."""
    methods = sorted({record.tags.get("energy/method", "") for record in records} - {""})
    energy = f"J/utt.\n{', '.join(methods)}" if methods else "J/utt."
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("model", "weights", "device", "batch", "length"):
        table.add_column(heading, justify="left" if heading in ("model", "weights", "device") else "right", no_wrap=True)
    columns = _columns(energy)
    for heading, _ in columns:
        table.add_column(heading, justify="right")
    table.add_column("status")
    for record in records:
        table.add_row(*_identity(record), *(show(record) for _, show in columns), _status(record))
    return table


def notes(records: Iterable[RunRecord]) -> list[str]:
    """Each kind of caution once, with how many points carry it, and the reason of every failure."""
    seen: dict[tuple[str, str], int] = {}
    lines = []
    for record in records:
        if record.status != "ok":
            lines.append(f"{record.name}: {record.status.replace('_', ' ')}: {record.reason}")
        for caution in {(c.kind, c.message): c for c in record.cautions}.values():
            key = (caution.kind, f"{caution.message} {caution.advice}" if caution.kind != "FewSamples" else _FEW)
            seen[key] = seen.get(key, 0) + 1
    return lines + [f"{kind} ({n}): {text}" for (kind, text), n in seen.items()]


_FEW = "p99 (and often p95) rests on fewer calls than can support it; read p50, or raise pipeline.min_iterations."


def _columns(energy: str) -> list[tuple[str, Callable[[RunRecord], str]]]:
    return [
        ("RTFx", _number("throughput/rtfx", 1, ".1f")),
        ("p50\nms", _number("latency/p50_s", 1000, ".0f")),
        ("1st token\nms", _number("latency/first_token_s", 1000, ".0f")),
        ("ms/token", _number("latency/per_token_s", 1000, ".1f")),
        ("WER\n%", _wer),
        ("peak RSS\nMB", _number("memory/peak_rss_bytes", 1e-6, ".0f")),
        ("weights\nMB", _number("memory/weights_bytes", 1e-6, ".0f")),
        (energy, _number("energy/per_sample_j", 1, ".1f")),
        ("GFLOP\n/utt.", _number("flops/utterance", 1e-9, ".1f")),
    ]


def _number(name: str, factor: float, form: str) -> Callable[[RunRecord], str]:
    def show(record: RunRecord) -> str:
        value = record.values.get(name)
        return _MISSING if value is None else format(value * factor, form)

    return show


def _wer(record: RunRecord) -> str:
    value = record.values.get("quality/wer")
    if value is None:
        return _MISSING
    return f"{100 * value:.1f}" + ("s" if record.dataset.get("synthetic") else "")


def _identity(record: RunRecord) -> tuple[str, ...]:
    config = record.config
    model = config.get("model", {}).get("name", record.name)
    facts = record.system.get("facts", {})
    length = config.get("dataset", {}).get("length_s")
    return (
        str(model),
        str(facts.get("weights", _MISSING)),
        str(record.system.get("device", _MISSING)),
        str(config.get("batch", {}).get("size", _MISSING)),
        "natural" if length is None else f"{length:g} s",
    )


def _status(record: RunRecord) -> str:
    return "ok" if record.status == "ok" else f"[red]{record.status.replace('_', ' ')}[/red]"
