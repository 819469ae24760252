"""Laws of peak memory over batch size, and the largest batch that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asr_scaling.analysis.fits import Fit, NoFit
from asr_scaling.analysis.format import shown_memory
from asr_scaling.analysis.laws import by_size, fit_over_batch
from asr_scaling.analysis.points import Point
from asr_scaling.util.groups import grouped


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
    def counted(self) -> str:
        """What its peaks are above, to stand behind a name; empty where they are of all."""
        return ", above the idle process" if self.first.above_idle else ""

    @property
    def keys(self) -> dict[str, str]:
        """What the page's filter goes by."""
        return {key: value for key, value in self.first.keys.items() if key != "batch"}


def memory_laws(points: Sequence[Point]) -> list[MemoryLaw]:
    """One for each system, device and length that has any peak, smallest model first.

    Peaks that leave out what the process held before loading are never in one with others.
    """
    alike = grouped(by_size(points), lambda p: (p.system, p.device, p.length_s, p.above_idle))
    return [law for law in map(_law, alike.values()) if law.peaks or law.fails is not None]


def _law(members: Sequence[Point]) -> MemoryLaw:
    """Of the points of one system, device and length; a search goes before single points."""
    searches = [(point, entry) for point in members for entry in point.curve]
    entries = [entry for _, entry in searches]
    peaks = _peaks(entries, members)
    fitting = {int(entry["batch"]): point for point, entry in searches if entry["fits"]}
    failing = {
        int(entry["batch"]): not entry.get("tried", True) for entry in entries if not entry["fits"]
    }
    failing |= {
        p.batch: False for p in members if p.status == "out_of_memory" and p.batch and not p.curve
    }
    largest = max(fitting, default=None)
    fails = min(failing, default=None)
    tags = {} if largest is None else fitting[largest].tags
    return MemoryLaw(
        first=members[0],
        searched=bool(searches),
        peaks=peaks,
        largest=largest,
        limited_by=tags.get("batch/limited_by", "memory"),
        fails=fails,
        foretold=fails is not None and failing[fails],
        fit=fit_over_batch(peaks) if peaks else NoFit("no peak was measured"),
    )


def _peak(point: Point) -> float | None:
    return point.value(shown_memory(point))


def _peaks(
    entries: Sequence[Mapping[str, Any]], points: Sequence[Point]
) -> tuple[tuple[int, float], ...]:
    """Batch and peak in bytes, by batch: of a search where there was one, else of the points."""
    peaks = [(int(entry["batch"]), entry["peak_bytes"]) for entry in entries if entry["fits"]]
    if not entries:
        peaks = [(p.batch, _peak(p)) for p in points if p.ok]
    return tuple(sorted((batch, float(peak)) for batch, peak in peaks if peak))
