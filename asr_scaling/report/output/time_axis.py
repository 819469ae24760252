"""A time axis on which pauses are short: a sweep of days times calls for minutes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

_PAUSES = 0.25
"""Share of the busy time that all pauses together take on the axis at most."""
_MINUTES_S = 180.0
"""An axis of less is in seconds."""


@dataclass(frozen=True)
class TimeAxis:
    """Places moments on an axis, in ``unit_s`` seconds from the first.

    spans: (begin, end) of what is shown, seconds since 1970; at least one.
    """

    spans: Iterable[tuple[float, float]]
    _busy: list[tuple[float, float]] = field(default_factory=list, init=False)
    """Spans that don't overlap, by time."""
    _places: list[float] = field(default_factory=list, init=False)
    """Where each of them begins, in seconds on the axis."""

    def __post_init__(self) -> None:
        for begin, end in sorted(self.spans):
            if self._busy and begin <= self._busy[-1][1]:
                self._busy[-1] = (self._busy[-1][0], max(end, self._busy[-1][1]))
            else:
                self._busy.append((begin, end))
        total = sum(end - begin for begin, end in self._busy)
        most = _PAUSES * total / len(self._busy)
        at, before = 0.0, self._busy[0][0]
        for begin, end in self._busy:
            at += min(begin - before, most)
            self._places.append(at)
            at, before = at + end - begin, end

    def place(self, moment: float) -> float:
        """Where a moment is; one in a pause is where the span before it ends."""
        return self._seconds(moment) / self.unit_s

    def apart(self, before: float, after: float) -> bool:
        """Whether a pause lies between two moments."""
        return self._span(before) != self._span(after)

    @property
    def unit_s(self) -> float:
        """Seconds of a unit of the axis."""
        return 1.0 if self._end_s < _MINUTES_S else 60.0

    @property
    def end(self) -> float:
        """The last place."""
        return self._end_s / self.unit_s

    @property
    def label(self) -> str:
        """The axis' title."""
        unit = "seconds" if self.unit_s == 1 else "minutes"
        short = "; pauses between timed calls are shortened" if len(self._busy) > 1 else ""
        return f"time ({unit}{short})"

    @property
    def _end_s(self) -> float:
        begin, end = self._busy[-1]
        return self._places[-1] + end - begin

    def _span(self, moment: float) -> int:
        return max(0, bisect_right(self._busy, moment, key=lambda span: span[0]) - 1)

    def _seconds(self, moment: float) -> float:
        number = self._span(moment)
        begin, end = self._busy[number]
        return self._places[number] + min(max(moment - begin, 0.0), end - begin)
