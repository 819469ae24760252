"""Records as one table in the terminal: the points of a sweep side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from asr_scaling.analysis.capacity.curves import TAILS, furthest
from asr_scaling.analysis.interval_scope import interval_scope
from asr_scaling.analysis.looping import looping_records
from asr_scaling.analysis.usual_state import changed_by_state
from asr_scaling.core.decoding import decoding_name
from asr_scaling.core.judged import USUAL
from asr_scaling.core.memory_parts import memory_parts
from asr_scaling.core.pooled_loads import pooled_loads
from asr_scaling.core.record import RunRecord, choices
from asr_scaling.core.statistics import Interval
from asr_scaling.machine.machine_kind import gpu_name, machine_kind, unlike
from asr_scaling.report.console import cell, table

_MISSING = "–"
_WORDY = (
    "model",
    "engine",
    "optimisation",
    "decoding",
    "weights",
    "device",
    "machine",
    "host",
    "length",
    "dataset",
    "energy",
    "status",
)
_FOOTNOTE = "±: the larger half of the 95 % interval; –: not available, the record says why."
_USUAL = "usual: at this machine's usual state, which systems are ranked and compared by."
_Column = tuple[str, Callable[[RunRecord], str]]
"""A heading, and the cell of a point below it."""
_SPARE = (
    ("invented\nwords/h",),
    ("J/utt.", "energy"),  # joules never stand without how they were obtained
    ("1st tok\nms",),
    ("ms/tok",),
    ("GFLOP\n/utt.",),
    ("libraries+\nweights+\ncalls MB",),
    ("weights\nMB",),
)
"""Columns that a narrow table does without, the most needed first."""
_WORDS = {"weights": "weights", "batch": "per batch", "length": "length"}
"""What the title says behind a value that is the same in every row."""


def points_table(records: Sequence[RunRecord], width: int | None = None) -> tuple[str, Table]:
    """One row a point; what is the same in every row stands in the title, the first of the two
    returned. Whatever a sweep varied has a column. What no point has is left out, as is the status
    where every point is ok.

    width: of the terminal. Figures that are needed least are left out where it is too narrow, and
        the table's caption names them. None: every figure has its column.

    ``footnotes`` say how to read the cells.
    """
    places = _located(records)
    rows = [_identity(record) | place for record, place in zip(records, places, strict=True)]
    told = _told(records, rows)
    rows = [row | more for row, more in zip(rows, told, strict=True)]
    varying = [key for key in rows[0] if key == "model" or len({row[key] for row in rows}) > 1]
    shared = {key: value for key, value in rows[0].items() if key not in varying}
    fixed = [f"{value} {_WORDS.get(key, '')}".strip() for key, value in shared.items()]
    columns = [
        (name, show)
        for name, show in _columns(_speech(records), _tail(records))
        if any(show(record) != _MISSING for record in records)
    ]
    if any(record.status != "ok" for record in records):
        columns.append(("status", _status))
    wordy = {*_WORDY, *told[0]}

    def made(some: Sequence[_Column]) -> Table:
        out = table(padding=0)
        for heading in (*varying, *(heading for heading, _ in some)):
            words = heading in wordy  # in a narrow terminal words are folded, figures stay whole
            out.add_column(
                heading, justify="left" if words else "right", no_wrap=not words, overflow="fold"
            )
        for record, row in zip(records, rows, strict=True):
            out.add_row(*(cell(row[key]) for key in varying), *(show(record) for _, show in some))
        return out

    return " · ".join(fixed), made(columns) if width is None else _fitting(columns, made, width)


def _fitting(
    columns: Sequence[_Column], made: Callable[[Sequence[_Column]], Table], width: int
) -> Table:
    """The table of as many ``columns`` as ``width`` has room for; see ``_SPARE``."""
    endless = Console(width=100_000)
    out = [heading for spare in _SPARE for heading in spare]

    def kept() -> list[_Column]:
        return [column for column in columns if column[0] not in out]

    for spare in _SPARE:
        before, out = out, [heading for heading in out if heading not in spare]
        if Measurement.get(endless, endless.options, made(kept())).maximum > width:
            out = before
    found = made(kept())
    missing = [" ".join(heading.split()) for heading, _ in columns if heading in out]
    if missing:
        named = ", ".join(missing).replace("+ ", "+")
        found.caption = f"No room for {named}: the records have them, a wider terminal shows them."
        found.caption_justify, found.caption_style = "left", ""
    return found


def footnotes(records: Sequence[RunRecord]) -> list[str]:
    """How to read the cells of the table, and how sure they are between processes."""
    scope = interval_scope(record.tags for record in records if record.intervals)
    usual = any(f"{USUAL}throughput/rtfx" in record.values for record in records)
    return [_FOOTNOTE, *filter(None, (scope, _USUAL if usual else ""))]


def notes(records: Sequence[RunRecord]) -> list[str]:
    """The reason of every failure, then each kind of caution once, and how many points have it.

    Last, whose speed the machine's state changed, and which systems loop where others don't.
    """
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
    return [*lines, *changed_by_state(records), *looping_records(records)]


def _speech(records: Sequence[RunRecord]) -> str:
    """What must stand with a WER: that speech is synthetic, that some is made of the other."""
    kinds = {"synthetic": "synthetic\nspeech", "copies": "with\ncopies"}
    return "\n".join(
        words for kind, words in kinds.items() if any(r.dataset.get(kind) for r in records)
    )


def _columns(wer: str, tail: str) -> list[_Column]:
    return [
        ("RTFx", _number("throughput/rtfx", 1, 1)),
        ("RTFx\nusual", _number(f"{USUAL}throughput/rtfx", 1, 1)),
        ("p50\nms", _number("latency/p50_s", 1000, 0)),
        ("p50 ms\nusual", _number(f"{USUAL}latency/p50_s", 1000, 0)),
        ("1st tok\nms", _number("latency/first_token_s", 1000, 0)),
        ("ms/tok", _number("latency/per_token_s", 1000, 1)),
        (f"WER %\n{wer}", _error_rate),
        ("invented\nwords/h", _number("quality/invented_words_per_hour", 1, 0)),
        ("holds\nreq/s", _number("capacity/rate_per_s", 1, 2)),
        ("load\nreq/s", _one_load),
        (f"{tail} s\nat load", _tail_at_load(tail)),
        ("RSS\nMB", _number("memory/peak_rss_bytes", 1e-6, 0)),
        ("libraries+\nweights+\ncalls MB", _memory_parts),
        ("weights\nMB", _number("memory/weights_bytes", 1e-6, 0)),
        ("J/utt.", _number("energy/per_sample_j", 1, 1)),
        ("energy", lambda record: cell(record.tags.get("energy/method", _MISSING))),
        ("GFLOP\n/utt.", _number("flops/utterance", 1e-9, 1)),
    ]


def _one_load(record: RunRecord) -> str:
    """The rate, or the clients, of a point with loads of one kind."""
    loads = pooled_loads(record.loads)
    if len(loads) != 1:
        return _MISSING
    rate = loads[0].offered_per_s
    return f"{loads[0].clients} clients" if rate is None else f"{rate:.3g}"


def _tail(records: Sequence[RunRecord]) -> str:
    """The percentile furthest out that all points with one kind of load have, as "p99"."""
    loads = [each for record in records if len(each := pooled_loads(record.loads)) == 1]
    known = (load for (load,) in loads if not load.withheld)
    return furthest(known) or "p50"


def _tail_at_load(name: str) -> Callable[[RunRecord], str]:
    """Of a point with loads of one kind; it says so where nothing is known of the service."""

    def show(record: RunRecord) -> str:
        loads = pooled_loads(record.loads)
        found = loads[0].metric(TAILS[name]) if len(loads) == 1 else None
        if found is None:
            return "withheld" if len(loads) == 1 and loads[0].withheld else _MISSING
        return _shown(found.value, found.interval, 1, 2)

    return show


def _error_rate(record: RunRecord) -> str:
    """WER; CER, which it says, where the script of the references has no spaces."""
    if record.tags.get("quality/headline") != "cer":
        return _number("quality/wer", 100, 1)(record)
    figure = _number("quality/cer", 100, 1)(record)
    return figure if figure == _MISSING else f"CER {figure}"


def _memory_parts(record: RunRecord) -> str:
    parts = memory_parts(record.values)
    return _MISSING if parts is None else "+".join(f"{part / 1e6:.0f}" for part in parts)


def _number(name: str, factor: float, digits: int) -> Callable[[RunRecord], str]:
    def show(record: RunRecord) -> str:
        value, interval = record.values.get(name), record.intervals.get(name)
        return _MISSING if value is None else _shown(value, interval, factor, digits)

    return show


def _shown(value: float, interval: Interval | None, factor: float, digits: int) -> str:
    if interval is None:
        return f"{value * factor:.{digits}f}"
    half = interval.half(value) * factor
    places = _places(half, digits)
    return f"{value * factor:.{places}f}±{half:.{places}f}"


def _places(half: float, digits: int) -> int:
    """Decimals that show a digit or two of ``half``, at most three more than ``digits``."""
    if round(half) >= 10:
        return 0
    return next((places for places in range(digits, digits + 4) if round(half, places)), digits)


def _identity(record: RunRecord) -> dict[str, str]:
    config = record.config
    length, batch = record.length_s, record.batch
    return {
        "model": str(config.get("model", {}).get("name", record.name)),
        "engine": record.engine or _MISSING,
        "optimisation": " + ".join(record.optimisations) or _MISSING,
        "decoding": decoding_name(record.system, choices(config)),
        "weights": str(record.system.get("facts", {}).get("weights", _MISSING)),
        "device": str(record.system.get("device", _MISSING)),
        "batch": _MISSING if batch is None else str(batch),
        "length": "natural" if length is None else f"{length:g} s",
        "dataset": str(record.dataset.get("name", _MISSING)),
    }


def _told(records: Sequence[RunRecord], rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """What else the sweep varied, of each record, where a column of the row does not tell it."""
    swept = [(record.config.get("hydra") or {}).get("swept") or {} for record in records]
    kept: dict[str, str] = {}
    for key in dict.fromkeys(key for own in swept for key in own):
        shown = [row.get(key) for row in rows]
        values = [own.get(key) for own in swept]
        if len(set(zip(shown, values, strict=True))) > len(set(shown)):
            kept[key] = key if key not in rows[0] else f"{key}="
    return [
        {heading: str(own.get(key, _MISSING)) for key, heading in kept.items()} for own in swept
    ]


def _located(records: Sequence[RunRecord]) -> list[dict[str, str]]:
    """Kind and host of each record's machine, each where there are several."""
    machines = [record.environment for record in records]
    kinds = [" with ".join(filter(None, (gpu_name(m), machine_kind(m)))) for m in machines]
    hosts = [str(machine.get("host", _MISSING)) for machine in machines]
    places: dict[str, list[str]] = {}
    if any(unlike(machines[0], machine) for machine in machines):
        places["machine"] = kinds
    if len(set(hosts)) > 1:
        places["host"] = hosts
    return [{key: of[i] for key, of in places.items()} for i in range(len(records))]


def _status(record: RunRecord) -> str:
    return "ok" if record.status == "ok" else f"[red]{record.status.replace('_', ' ')}[/red]"
