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
from asr_scaling.core.energy_methods import GUESSED, METHOD, NOT_MEASURED, of_energy
from asr_scaling.core.memory_parts import MEMORY_PARTS
from asr_scaling.core.metrics import metric_spec
from asr_scaling.core.older_records import ABOVE_IDLE
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import FEWEST, Interval
from asr_scaling.errors import ConfigError

LATENCY = "latency/p50_s"
RTFX = "throughput/rtfx"
ENERGY = "energy/per_audio_second_j"
WER = "quality/wer"
MEMORY = "memory/peak_rss_bytes"
_MEMORY_PARTS = tuple(f"memory/{part}_rss_bytes" for part in MEMORY_PARTS)
STANDARD = (LATENCY, RTFX, ENERGY, WER, MEMORY)
NO_DIFFERENCE = "no difference beyond noise"
CANT_TELL = "can't tell"
NOISE = "noise/latency_floor"
WITHOUT_INTERVAL = 3
"""Noise floors that a change must exceed where too few calls give it an interval."""
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
    """B against A in latency, throughput, energy, WER and memory, and in the metrics of ``also``.

    Raises ConfigError when a point failed, when host, dataset, normaliser or scope differ and
    ``allow`` doesn't name it, or when the two timed no speech in common.
    """
    allowed = check_alike(a, b, allow)
    blocks = paired_blocks(a.samples, b.samples)
    if not blocks:
        raise ConfigError(
            f"'{a.name}' and '{b.name}' timed no utterances in common: measure both on the same "
            "dataset, with pipeline.max_seconds long enough to time all of it."
        )
    floor = max(record.values.get(NOISE, 0.0) for record in (a, b))
    utterances = sum(len(block.utterances) for block in blocks)
    parts = [name for name in _MEMORY_PARTS if a.values.get(name) or b.values.get(name)]
    parts += [ABOVE_IDLE] if all(ABOVE_IDLE in record.values for record in (a, b)) else []
    extra = [name for name in dict.fromkeys((*parts, *also)) if name not in STANDARD]
    unpaired = (_unpaired(a, b, name, floor) for name in (MEMORY, *extra))
    rows = (*_times(a, b, blocks, floor), _energy(a, b, floor), _wer(a, b), *unpaired)
    notes = (*allowed, *_pairing(a, b, len(blocks), utterances), *other_notes(a, b))
    return Comparison(a, b, rows, notes, utterances, len(blocks), floor)


def _pairing(a: RunRecord, b: RunRecord, blocks: int, utterances: int) -> list[str]:
    timed = max(len({key for sample in r.samples for key in sample.utterances}) for r in (a, b))
    of = f" of {timed}" if timed > utterances else ""
    about = "" if blocks >= FEWEST else "; so few that intervals are about this very speech"
    counted = f"{blocks} block{'s' if blocks > 1 else ''}"
    lines = [f"Paired over {utterances}{of} utterances in {counted}{about}."]
    unknown = [side for side, record in (("A", a), ("B", b)) if NOISE not in record.values]
    if unknown:
        lines.append(f"No noise floor known for {' and '.join(unknown)}.")
    return lines


def _times(a: RunRecord, b: RunRecord, blocks: Sequence[Block], floor: float) -> list[MetricChange]:
    """Latency and RTFx.

    Without an interval, as between batch 1 and 16 when both were timed for seconds only, a change
    of several noise floors counts where both floors are known.
    """
    longer, _ = time_changes([block.wait_a for block in blocks], [block.wait_b for block in blocks])
    _, faster = time_changes([block.work_a for block in blocks], [block.work_b for block in blocks])
    floors_known = all(NOISE in record.values for record in (a, b))
    rows = []
    for name, change in ((LATENCY, longer), (RTFX, faster)):
        row = _relative(name, _values(a, b, name), change, floor=floor, what="calls")
        beyond = abs(math.log1p(change.value)) > WITHOUT_INTERVAL * math.log1p(floor)
        if floors_known and change.interval is None and beyond:
            word = _word(name, more=change.value > 0)
            row = replace(row, verdict=f"{word}: over {WITHOUT_INTERVAL} noise floors")
        rows.append(row)
    return rows


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
    if group in _TIMES:
        return "slower" if more else "faster"
    if group == "throughput":
        return "faster" if more else "slower"
    if name in (WER, "quality/cer"):
        return "worse" if more else "better"
    return "more" if more else "less"


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
    ours, theirs = _methods(a), _methods(b)
    windows = [record.repeats.get(ENERGY, ()) for record in (a, b)]
    qualifier = ours.get("energy/method", "") if ours == theirs else ""
    reason = _missing(a, b, ENERGY) or _guessed(a, b) or _unlike_energy(ours, theirs, windows)
    if reason:
        return MetricChange(ENERGY, *values, reason=reason, qualifier=qualifier)
    change = mean_change(*windows)
    return _relative(ENERGY, values, change, floor=floor, what="windows", qualifier=qualifier)


def _guessed(a: RunRecord, b: RunRecord) -> str:
    """Why joules of guessed power can't be compared; empty where both were obtained otherwise."""
    guessed = any(record.tags.get(METHOD) == GUESSED for record in (a, b))
    return NOT_MEASURED if guessed else ""


def _unlike_energy(
    ours: dict[str, str], theirs: dict[str, str], windows: Sequence[Sequence[float]]
) -> str:
    """Why joules of these methods and windows can't be compared; empty where they can."""
    if ours != theirs:
        sums = [methods.get("energy/method", "unknown") for methods in (ours, theirs)]
        alike = sums[0] == sums[1]
        return f"the methods differ{' in a component' if alike else ': ' + ' and '.join(sums)}"
    if not all(windows):
        lacking = (side for side, window in zip("AB", windows, strict=True) if not window)
        return f"no repeated windows in {' and '.join(lacking)}"
    return "a window's energy is not positive" if min(map(min, windows)) <= 0 else ""


def _methods(record: RunRecord) -> dict[str, str]:
    """Of the sum and of each component; why one is unavailable makes no difference."""
    return {
        key: "unavailable" if method.startswith("unavailable") else method
        for key, method in record.tags.items()
        if key.startswith("energy/method")
    }


def _wer(a: RunRecord, b: RunRecord) -> MetricChange:
    """Edits of both systems on the utterances that both were scored on."""
    values = _values(a, b, WER)
    synthetic = any(record.dataset.get("synthetic") for record in (a, b))
    by_characters = any(r.tags.get("quality/headline") == "cer" for r in (a, b))
    said = ("synthetic speech" if synthetic else "", "of characters" if by_characters else "")
    qualifier = ", ".join(filter(None, said))
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
    edits_a, edits_b = (
        [x["substitutions"] + x["deletions"] + x["insertions"] for x in side]
        for side in zip(*rows, strict=True)
    )
    words = [x["words"] for x, _ in rows]
    change = rate_change(edits_a, edits_b, words)
    before = sum(edits_a) / sum(words)
    relative = change.value / before if before else (None if change.value else 0.0)
    verdict = _verdict(WER, change.interval, "utterances")
    return MetricChange(
        WER, *values, relative, change.value, change.interval, verdict, qualifier=qualifier
    )


def _unpaired(a: RunRecord, b: RunRecord, name: str, floor: float) -> MetricChange:
    """The two values; they differ where both intervals are known and apart beyond the floor."""
    ours, theirs = _values(a, b, name)
    reason = _missing(a, b, name) or (_guessed(a, b) if of_energy(name) else "")
    if ours is None or theirs is None or reason:
        return MetricChange(name, ours, theirs, reason=reason)
    relative = theirs / ours - 1 if ours else None
    before, after = a.intervals.get(name), b.intervals.get(name)
    verdict = ""
    if before and after:
        apart = before.high < after.low or after.high < before.low
        floored = name.partition("/")[0] in _FLOORED
        small = floored and min(ours, theirs) * (1 + floor) >= max(ours, theirs)
        verdict = _word(name, more=theirs > ours) if apart and not small else NO_DIFFERENCE
    return MetricChange(name, ours, theirs, relative, theirs - ours, verdict=verdict)
