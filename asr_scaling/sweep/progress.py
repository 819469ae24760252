"""What the terminal shows while a sweep runs: the sweep, the point, its stage, the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from asr_scaling.core.record import RunRecord
from asr_scaling.report.console import console, print_line
from asr_scaling.report.terminal import footnotes, notes, points_table
from asr_scaling.sweep.sweep_progress import SweepProgress
from asr_scaling.util.redact import printable, redact

_WIDE = 132


class Display(SweepProgress):
    """On a terminal two live lines; elsewhere (a log file, CI) one line a stage.

    weights: roughly what each point costs, in the order they are measured; only ratios count.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self.console = console(_WIDE, stderr=True)
        self.total = len(weights)
        self._weights = list(weights)
        self._took: list[tuple[float, float]] = []
        self._point = ""
        self._began = time.monotonic()
        self._said: set[str] = set()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
            refresh_per_second=1,  # drawing takes the interpreter from the engine for milliseconds
        )
        self._sweep = self._progress.add_task("sweep", total=self.total, left="")
        self._stage = self._progress.add_task("", total=100, left="")
        self._progress.start()

    def more(self, weights: Sequence[float]) -> None:
        """Further points are measured, of these weights."""
        super().more(weights)
        self._weights += weights
        self._progress.update(self._sweep, total=self.total)

    def begin(self, name: str) -> None:
        """A point begins."""
        self._point, self._began = printable(name), time.monotonic()

    def stage(self, name: str) -> None:
        """A stage of the point begins."""
        title = f"{self._point} · {name}"
        if self.console.is_terminal:
            self._progress.reset(self._stage, description=title, total=100, left="")
        else:
            self.console.print(f"[{self.done + 1}/{self.total}] {title}", markup=False)

    def advance(self, fraction: float) -> None:
        """The stage is ``fraction`` done."""
        self._progress.update(self._stage, completed=round(100 * min(1.0, fraction)))

    def say(self, line: str) -> None:
        """A line above the live ones; what was said before is not repeated."""
        if line not in self._said:
            self._said.add(line)
            self.console.print(printable(redact(line)), markup=False)

    def end(self, record: RunRecord) -> None:
        """A point ended; the time left is learnt from the finished ones."""
        weights = self._weights[self.done :] or [0.0]  # another sweeper may choose more points
        weight, *ahead = weights
        self._took.append((weight, time.monotonic() - self._began))
        self.done += 1
        left = f"about {_duration(seconds_left(self._took, ahead))} left"
        self._progress.update(self._sweep, completed=self.done, left=left)
        took = record.ended_at - record.started_at
        outcome = "" if record.status == "ok" else f": {record.outcome}"
        line = printable(f"[{self.done}/{self.total}] {record.name} done in {took:.1f} s{outcome}")
        self.console.print(f"{line}, {left}" if ahead else line, markup=False)

    def reused(self, record: RunRecord) -> None:
        """A point was measured before the sweep was cut."""
        self.done += 1
        self._progress.update(self._sweep, completed=self.done)
        self.console.print(
            f"[{self.done}/{self.total}] {printable(record.name)} was measured before",
            markup=False,
        )

    def close(self) -> None:
        """Take the live lines away."""
        self._progress.stop()

    def results(
        self,
        records: list[RunRecord],
        title: str,
        hints: Sequence[str],
        remarks: Sequence[str] = (),
    ) -> None:
        """Print the table of all points, what to know about it and where to look next."""
        out = console(_WIDE)
        if any(record.metrics for record in records):
            common, table = points_table(records, out.width)
            print_line(out, f"{title} · {common}")
            out.print(table)
            print_line(out, "")
            for line in footnotes(records):
                print_line(out, line)
        for line in (*notes(records), *remarks):
            print_line(out, f"• {line}")
        for hint in hints:
            print_line(out, hint, soft_wrap=True)


def seconds_left(done: Sequence[tuple[float, float]], left: Sequence[float]) -> float:
    """Seconds that points of the weights ``left`` will take.

    Learnt from (weight, seconds) of those ``done``, at least one. A point takes c + k · weight:
    least squares where neither comes out negative, else the mean.
    """
    n = len(done)
    mean_weight = sum(weight for weight, _ in done) / n
    mean_s = sum(seconds for _, seconds in done) / n
    spread = sum((weight - mean_weight) ** 2 for weight, _ in done)
    covariance = sum((weight - mean_weight) * (seconds - mean_s) for weight, seconds in done)
    slope = covariance / spread if spread else 0.0
    constant = mean_s - slope * mean_weight
    if slope < 0:
        slope, constant = 0.0, mean_s
    elif constant < 0:
        slope, constant = mean_s / mean_weight, 0.0
    return sum(constant + slope * weight for weight in left)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
