"""Decoding steps: when each ended, at which position, and what steps cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Device, Probe, Transcription
from asr_scaling.core.statistics import ratio_interval
from asr_scaling.core.workload import AudioBatch
from asr_scaling.profiler._operators import quiet_stderr


class StepProbe:
    """Marks the end of every step.

    A stage between two steps begins another run: another window, or a second decoding.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._runs: list[list[Any]] = [[]]

    def stage(self, name: str) -> None:
        """A stage begins."""
        self._runs.append([])

    def token(self) -> None:
        """One decoding step is complete."""
        self._runs[-1].append(self._device.mark())

    def runs(self) -> tuple[tuple[float, ...], ...]:
        """Seconds of the steps after the first, of every run that has any. Waits for the device."""
        ends = [self._device.seconds(marks) for marks in self._runs if len(marks) > 1]
        return tuple(tuple(b - a for a, b in pairwise(run)) for run in ends)


class TracingProbe:
    """Lets the profiler see at most ``most`` steps: those of the first run after its first."""

    def __init__(self, profiler: Any, device: Device, most: int) -> None:
        self.profiler = profiler
        self._device, self._most = device, most
        self.marks: list[Any] = []
        self._over = False

    def stage(self, name: str) -> None:
        """What follows is no step of this run."""
        if self.marks:
            self.stop()

    def token(self) -> None:
        """One decoding step is complete."""
        if self._over:
            return
        if not self.marks:
            self._device.seconds(
                [self._device.mark()]
            )  # what was queued before is not of these steps
            with quiet_stderr():
                self.profiler.start()
        self.marks.append(self._device.mark())
        if len(self.marks) > self._most:
            self.stop()

    def stop(self) -> None:
        """May be called at any time."""
        if self.marks and not self._over:
            with quiet_stderr():
                self.profiler.stop()
        self._over = True


@dataclass(frozen=True)
class Steps:
    """The steps of one call.

    ``runs``: seconds of the steps after the first; step i of a run (from 0) ends position i + 2.
    ``whole``: in so many steps of a run every utterance of the batch is still being decoded.
    """

    size: int
    audio_s: float
    runs: tuple[tuple[float, ...], ...]
    whole: int

    def rows(self, **also: Any) -> Iterator[dict[str, Any]]:
        """One a step, for a table."""
        for number, run in enumerate(self.runs):
            for i, seconds in enumerate(run):
                place = {
                    "run": number,
                    "position": i + 2,
                    "seconds": seconds,
                    "whole_batch": i < self.whole,
                }
                yield {**also, "utterances": self.size, "audio_s": self.audio_s, **place}

    def comparable(self) -> list[tuple[int, float]]:
        """Position and seconds of the steps in which the whole batch is decoding."""
        return [
            (i + 2, seconds) for run in self.runs for i, seconds in enumerate(run[: self.whole])
        ]


def steps_of(
    batch: AudioBatch, device: Device, call: Callable[[AudioBatch, Probe], Transcription]
) -> Steps:
    """``call`` on ``batch``, with a mark after each step and no waiting in between."""
    probe = StepProbe(device)
    done = call(batch, probe)
    runs = probe.runs()
    whole = max(map(len, runs), default=0)
    if len(batch) > 1:
        whole = min(done.tokens) if len(runs) == 1 else 0
    return Steps(len(batch), batch.audio_s, runs, whole)


def mean_step(name: str, calls: Sequence[Steps]) -> Metric:
    """Seconds of a step after the first; the interval is over calls, whose steps are alike."""
    seconds = [sum(map(sum, call.runs)) for call in calls if call.runs]
    steps = [float(sum(map(len, call.runs))) for call in calls if call.runs]
    return Metric(name, sum(seconds) / sum(steps), len(seconds), ratio_interval(seconds, steps))


def slope(name: str, calls: Sequence[Steps]) -> Metric | str:
    """How much longer a step takes for each position, in seconds; or why there is no figure.

    It is the slope within calls, Σ Sxy / Σ Sxx: pooled within-group regression (Draper & Smith
    1998, chapter 14), so that faster and slower calls don't tilt it. Its interval is that of a
    ratio over calls, since the steps of one call are not independent.
    """
    products, squares = [], []
    for call in calls:
        steps = call.comparable()
        if len(steps) < 2:
            continue
        mean_x = sum(x for x, _ in steps) / len(steps)
        mean_y = sum(y for _, y in steps) / len(steps)
        products.append(sum((x - mean_x) * (y - mean_y) for x, y in steps))
        squares.append(sum((x - mean_x) ** 2 for x, _ in steps))
    if not sum(squares):
        return "no call had two steps at different positions with its whole batch decoding"
    return Metric(
        name, sum(products) / sum(squares), len(squares), ratio_interval(products, squares)
    )
