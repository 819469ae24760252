"""Laws of peak memory over batch size, and the largest batch that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asr_scaling.analysis.fits import Fit, NoFit, linear_fit
from asr_scaling.analysis.format import memory_metric
from asr_scaling.analysis.laws import ONE_BATCH, by_size, grouped
from asr_scaling.analysis.points import Point


@dataclass(frozen=True)
class MemoryLaw:
    """Peak memory of a call on B utterances: base + B · each."""

    first: Point
    """A point of the law's system, device and length."""
    searched: bool
    """Whether the peaks are of a search for the largest batch, not of single points."""
    peaks: tuple[tuple[int, float], ...]
    """Batch and peak in bytes, by batch."""
    largest: int | None
    """The largest batch found to fit; None where none was looked for."""
    limited_by: str
    """What ended that search: "memory", "time" or "limit"."""
    fails: int | None
    """The smallest batch that did not fit."""
    foretold: bool
    """Whether ``fails`` was foretold by smaller batches, without a call."""
    fit: Fit | NoFit
    """Coefficients base and each, in bytes."""

    @property
    def keys(self) -> dict[str, str]:
        """What the page's filter goes by."""
        return {
            "model": self.first.system,
            "device": self.first.device,
            "length": self.first.length,
        }


def memory_laws(points: Sequence[Point]) -> list[MemoryLaw]:
    """One for each system, device and length that has any peak, smallest model first."""
    groups = grouped(by_size(points), lambda p: (p.system, p.device, p.length_s)).values()
    return [law for law in map(_law, groups) if law.peaks or law.fails is not None]


def _law(members: Sequence[Point]) -> MemoryLaw:
    """Of the points of one system, device and length; a search goes before single points."""
    searches = [(point, entry) for point in members for entry in point.curve]
    entries = [entry for _, entry in searches]
    peaks = tuple(sorted(_searched_peaks(entries) if searches else _measured_peaks(members)))
    fitting = {int(entry["batch"]): point for point, entry in searches if entry["fits"]}
    failing = {
        int(entry["batch"]): not entry.get("tried", True) for entry in entries if not entry["fits"]
    }
    failing |= {
        p.batch: False for p in members if p.status == "out_of_memory" and p.batch and not p.curve
    }
    largest = max(fitting, default=None)
    fails = min(failing, default=None)
    ended = "memory" if largest is None else fitting[largest].tags.get("batch/limited_by", "memory")
    return MemoryLaw(
        first=members[0],
        searched=bool(searches),
        peaks=peaks,
        largest=largest,
        limited_by=ended,
        fails=fails,
        foretold=fails is not None and failing[fails],
        fit=_fit(peaks),
    )


def _searched_peaks(entries: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    fitting = [entry for entry in entries if entry["fits"] and entry["peak_bytes"]]
    return [(int(entry["batch"]), float(entry["peak_bytes"])) for entry in fitting]


def _measured_peaks(points: Sequence[Point]) -> list[tuple[int, float]]:
    peaks = [(p.batch, p.value(memory_metric(p))) for p in points if p.ok]
    return [(batch, peak) for batch, peak in peaks if peak]


def _fit(peaks: Sequence[tuple[int, float]]) -> Fit | NoFit:
    sizes = [batch for batch, _ in peaks]
    if not sizes:
        return NoFit("no peak was measured")
    if len(set(sizes)) < 2:
        return NoFit(ONE_BATCH)
    return linear_fit([[1.0] * len(sizes), sizes], [peak for _, peak in peaks], sizes)
