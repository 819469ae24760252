"""How two records of the same speech differ: changes with intervals of 95 %, and verdicts.

A change counts when its interval excludes 0 and it exceeds the noise floor of both timed passes;
where too few calls give no interval, when it exceeds three of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from asr_scaling.analysis.comparison.blocks import Block, paired_blocks
from asr_scaling.analysis.comparison.comparability import check_alike, other_notes
from asr_scaling.analysis.paired_tests import Estimate, mean_change, rate_change, time_changes
from asr_scaling.core.metrics import metric_spec
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import FEWEST, Interval
from asr_scaling.errors import ConfigError

LATENCY, RTFX, ENERGY = "latency/p50_s", "throughput/rtfx", "energy/per_audio_second_j"
WER, MEMORY = "quality/wer", "memory/peak_rss_bytes"
STANDARD = (LATENCY, RTFX, ENERGY, WER, MEMORY)
NO_DIFFERENCE = "no difference beyond noise"
CANT_TELL = "can't tell"
NOISE = "noise/latency_floor"
PLAIN = 3
"""A change of so many noise floors is one even where too few calls give it an interval."""
_TIMES = ("latency", "latency_per_utterance", "stage", "startup")
_FLOORED = (*_TIMES, "throughput", "energy")
"""Groups of metrics that follow the time of a call: latency's noise floor is theirs too."""
_Values = tuple[float | None, float | None]


@dataclass(frozen=True)
class MetricChange:
    """How one metric differs between two systems."""

    metric: str
    a: float | None = None
    """The value of A's record."""
    b: float | None = None
    """The value of B's record."""
    relative: float | None = None
    """Change of B against A as a share."""
    absolute: float | None = None
    """The change in the metric's unit; where it is paired, ``relative`` of A's value."""
    interval: Interval | None = None
    """Of the relative change; for WER of the absolute one."""
    verdict: str = ""
    """Empty for single readings, which nothing can judge."""
    reason: str = ""
    """Why there is no change."""
    qualifier: str = ""
    """What must stand with the figures."""


@dataclass(frozen=True)
class Comparison:
    """B against A."""

    a: RunRecord
    b: RunRecord
    rows: tuple[MetricChange, ...]
    """One for each metric."""
    notes: tuple[str, ...]
    """What must stand beside the rows."""
    utterances: int
    """That both timed."""
    blocks: int
    """Of these utterances, as paired."""
    floor: float
    """Changes of time up to this share are noise."""

    def row(self, metric: str) -> MetricChange:
        """The row of ``metric``; KeyError when it was not compared."""
        return {row.metric: row for row in self.rows}[metric]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = [{**asdict(row), "unit": metric_spec(row.metric).unit} for row in self.rows]
        size = {"utterances": self.utterances, "blocks": self.blocks, "noise_floor": self.floor}
        return {"a": self.a.name, "b": self.b.name, **size, "rows": rows, "notes": list(self.notes)}


def compare(
    a: RunRecord, b: RunRecord, allow: Collection[str] = (), also: Iterable[str] = ()
) -> Comparison:
    """B against A in latency, throughput, energy, WER and memory, and in the metrics that ``also``
    names.

    ConfigError when a point failed, when host, dataset, normaliser or scope differ and ``allow``
    doesn't name it, or when the two timed no speech in common: nothing is compared unpaired.
    """
    allowed = check_alike(a, b, allow)
    blocks = paired_blocks(a.samples, b.samples)
    if not blocks:
        raise ConfigError(
            f"'{a.name}' and '{b.name}' timed no utterances in common: measure both on the same "
            "dataset, with "
            "pipeline.max_seconds long enough to time all of it."
        )
    floor = max(record.values.get(NOISE, 0.0) for record in (a, b))
    utterances = sum(len(block.utterances) for block in blocks)
    extra = [name for name in dict.fromkeys(also) if name not in STANDARD]
    rows = [
        *_times(a, b, blocks, floor, known=all(NOISE in record.values for record in (a, b))),
        _energy(a, b, floor),
        _wer(a, b),
        *(_unpaired(a, b, name, floor) for name in (MEMORY, *extra)),
    ]
    notes = [*allowed, *_pairing(a, b, len(blocks), utterances), *other_notes(a, b)]
    return Comparison(a, b, tuple(rows), tuple(notes), utterances, len(blocks), floor)


def _pairing(a: RunRecord, b: RunRecord, blocks: int, utterances: int) -> list[str]:
    timed = max(len({key for sample in r.samples for key in sample.utterances}) for r in (a, b))
    of = f" of {timed}" if timed > utterances else ""
    about = "" if blocks >= FEWEST else "; so few that intervals are about this very speech"
    lines = [f"Paired over {utterances}{of} utterances in {_count(blocks, 'block')}{about}."]
    unknown = [side for side, record in (("A", a), ("B", b)) if NOISE not in record.values]
    if unknown:
        lines.append(f"No noise floor known for {' and '.join(unknown)}.")
    return lines


def _times(
    a: RunRecord, b: RunRecord, blocks: Sequence[Block], floor: float, known: bool
) -> tuple[MetricChange, MetricChange]:
    longer, _ = time_changes([block.wait_a for block in blocks], [block.wait_b for block in blocks])
    _, faster = time_changes([block.work_a for block in blocks], [block.work_b for block in blocks])
    latency = _relative(LATENCY, _values(a, b, LATENCY), longer, floor=floor, what="calls")
    rtfx = _relative(RTFX, _values(a, b, RTFX), faster, floor=floor, what="calls")
    return (_plain(latency, floor), _plain(rtfx, floor)) if known else (latency, rtfx)


def _plain(row: MetricChange, floor: float) -> MetricChange:
    """Judges a change without an interval that is several noise floors large.

    As between batch 1 and 16, when both were timed for seconds only.
    """
    if row.interval is not None or row.relative is None:
        return row
    if abs(math.log1p(row.relative)) <= PLAIN * math.log1p(floor):
        return row
    return replace(
        row, verdict=f"{_word(row.metric, more=row.relative > 0)}: over {PLAIN} noise floors"
    )


def _values(a: RunRecord, b: RunRecord, name: str) -> _Values:
    return a.values.get(name), b.values.get(name)


def _relative(
    name: str, values: _Values, change: Estimate, *, floor: float, what: str, qualifier: str = ""
) -> MetricChange:
    absolute = None if values[0] is None else values[0] * change.value
    within_floor = abs(math.log1p(change.value)) <= math.log1p(floor)
    verdict = _verdict(name, change.interval, what, within_floor)
    return MetricChange(
        name, *values, change.value, absolute, change.interval, verdict, qualifier=qualifier
    )


def _verdict(name: str, interval: Interval | None, what: str, within_floor: bool = False) -> str:
    if interval is None:
        return f"{CANT_TELL}: too few {what}"
    if interval.low <= 0 <= interval.high or within_floor:
        return NO_DIFFERENCE
    return _word(name, more=interval.low > 0)


def _word(name: str, more: bool) -> str:
    group = name.partition("/")[0]
    words = ("less", "more")
    if group in _TIMES:
        words = ("faster", "slower")
    elif group == "throughput":
        words = ("slower", "faster")
    elif name in (WER, "quality/cer"):
        words = ("better", "worse")
    return words[more]


def _missing(a: RunRecord, b: RunRecord, name: str) -> str:
    """Which of the two has no such figure, and why; empty when both have it."""
    return "; ".join(
        f"{side}: {record.unavailable.get(name, 'not measured')}"
        for side, record in (("A", a), ("B", b))
        if name not in record.values
    )


def _energy(a: RunRecord, b: RunRecord, floor: float) -> MetricChange:
    """By windows, which are not paired: each holds whatever calls it had time for."""
    values = _values(a, b, ENERGY)
    methods = [_methods(record) for record in (a, b)]
    windows = [record.repeats.get(ENERGY, ()) for record in (a, b)]
    reason = _missing(a, b, ENERGY)
    if not reason and methods[0] != methods[1]:
        reason = "the methods differ: " + " and ".join(
            method.get("energy/method", "unknown") for method in methods
        )
        if methods[0].get("energy/method") == methods[1].get("energy/method"):
            reason = "the methods differ in a component"
    if not reason and not all(windows):
        reason = "no repeated windows in " + " and ".join(
            s for s, w in zip("AB", windows, strict=True) if not w
        )
    if not reason and min(map(min, windows)) <= 0:
        reason = "a window's energy is not positive"
    qualifier = methods[0].get("energy/method", "")
    if reason:
        return MetricChange(
            ENERGY, *values, reason=reason, qualifier=qualifier if methods[0] == methods[1] else ""
        )
    return _relative(
        ENERGY, values, mean_change(*windows), floor=floor, what="windows", qualifier=qualifier
    )


def _methods(record: RunRecord) -> dict[str, str]:
    """Of the sum and of each component; why one is unavailable makes no difference."""
    found = {key: method for key, method in record.tags.items() if key.startswith("energy/method")}
    return {
        key: "unavailable" if method.startswith("unavailable") else method
        for key, method in found.items()
    }


def _wer(a: RunRecord, b: RunRecord) -> MetricChange:
    """Edits of both systems on the utterances that both were scored on."""
    values = _values(a, b, WER)
    qualifier = (
        "synthetic speech" if a.dataset.get("synthetic") or b.dataset.get("synthetic") else ""
    )
    ours, theirs = (
        {row["id"]: row for row in record.transcripts if "words" in row} for record in (a, b)
    )
    rows = [(ours[key], theirs[key]) for key in ours if key in theirs]
    reason = _missing(a, b, WER)
    if not reason and not rows:
        reason = "no utterance was scored in both"
    if not reason and any(x["words"] != y["words"] for x, y in rows):
        reason = "the references differ in their number of words"
    if reason:
        return MetricChange(WER, *values, reason=reason, qualifier=qualifier)
    edits = [
        [x["substitutions"] + x["deletions"] + x["insertions"] for x in side]
        for side in zip(*rows, strict=True)
    ]
    words = [x["words"] for x, _ in rows]
    change = rate_change(edits[0], edits[1], words)
    before = sum(edits[0]) / sum(words)
    relative = change.value / before if before else (None if change.value else 0.0)
    verdict = _verdict(WER, change.interval, "utterances")
    return MetricChange(
        WER, *values, relative, change.value, change.interval, verdict, qualifier=qualifier
    )


def _unpaired(a: RunRecord, b: RunRecord, name: str, floor: float) -> MetricChange:
    """The two values as they are; a difference only where both have an interval, the two are apart,
    and the floor is exceeded.
    """
    ours, theirs = _values(a, b, name)
    if ours is None or theirs is None:
        return MetricChange(name, ours, theirs, reason=_missing(a, b, name))
    relative = theirs / ours - 1 if ours else None
    intervals, verdict = (a.intervals.get(name), b.intervals.get(name)), ""
    if intervals[0] and intervals[1]:
        apart = intervals[0].high < intervals[1].low or intervals[1].high < intervals[0].low
        small = name.partition("/")[0] in _FLOORED and min(ours, theirs) * (1 + floor) >= max(
            ours, theirs
        )
        verdict = _word(name, more=theirs > ours) if apart and not small else NO_DIFFERENCE
    return MetricChange(name, ours, theirs, relative, theirs - ours, verdict=verdict)


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'s' if n > 1 else ''}"
