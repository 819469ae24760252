"""The largest batch that fits in memory, by doubling and then bisection."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import psutil

from asr_scaling.batch._fill import Full
from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Batching, Device, NullProbe, System
from asr_scaling.core.record import BatchTrial, Findings
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import ConfigError, OutOfMemoryError
from asr_scaling.machine.memory import peak_resident, release_memory, resident_bytes

_RESERVE = 0.1
"""Of the machine's memory, left to everything else."""
LimitedBy = Literal["memory", "time", "limit"]


@dataclass(frozen=True)
class Max:
    """Options of the search.

    ``limit``: larger batches are not tried.
    ``memory_bytes``: what the whole process may hold, or use on the accelerator; None for what is
    free less a tenth of the machine's.
    ``seconds``: a batch whose call would take longer is not tried.
    ``resolution``: share to which the largest batch is determined.

    When memory is the process's own, a batch that is predicted not to fit is not tried either,
    since the operating system would end the process instead of refusing.
    """

    limit: int = 1024
    memory_bytes: float | None = None
    seconds: float = 60.0
    resolution: float = 0.1

    def __post_init__(self) -> None:
        if isinstance(self.limit, bool) or not isinstance(self.limit, int) or self.limit < 1:
            raise ConfigError(f"batch.limit must be a positive integer; got {self.limit!r}.")
        if self.memory_bytes is not None and not self.memory_bytes > 0:
            raise ConfigError(
                f"batch.memory_bytes must be more than 0, or null; got {self.memory_bytes}."
            )
        if not self.seconds > 0:
            raise ConfigError(f"batch.seconds must be more than 0; got {self.seconds}.")
        if not 0 <= self.resolution < 1:
            raise ConfigError(f"batch.resolution must be from 0 to below 1; got {self.resolution}.")

    def fit(
        self, system: System, device: Device, utterance: Utterance
    ) -> tuple[Batching, Findings]:
        """Tries batches of copies of ``utterance``.

        Raises OutOfMemoryError when not even one alone fits.
        """
        search = _Search(
            self, _trier(system, device, utterance), device.memory.peak_bytes() is None
        )
        limited_by = search.run()
        if not search.fits:
            where = f"the memory of {device.torch_name}"
            if math.isfinite(search.budget):
                where = f"{search.budget / 1e9:.1f} GB"
            mend = "raise batch.memory_bytes or use" if self.memory_bytes else "use"
            raise OutOfMemoryError(
                f"Not even one utterance of {utterance.duration_s:.0f} s fits in {where}; "
                f"{mend} a smaller model."
            )
        trials = tuple(sorted(search.trials.values(), key=lambda trial: trial.batch))
        metrics = (Metric("batch/largest", search.fits, sum(trial.tried for trial in trials)),)
        return Full(search.fits), Findings(
            metrics, tags={"batch/limited_by": limited_by}, trials=trials
        )


_Try = Callable[[int], BatchTrial]


class _Search:
    """The search under way.

    ``fits``: the largest batch known to fit, 0 when none is.
    ``trials``: batch → trial.
    ``in_process``: memory is that of this process; False when a device's own counts.
    ``budget``: in bytes.
    """

    def __init__(self, options: Max, attempt: _Try, in_process: bool) -> None:
        self._options, self._attempt = options, attempt
        self._in_process = in_process
        self.fits, self.trials = 0, dict[int, BatchTrial]()
        free = math.inf
        if in_process:
            machine = psutil.virtual_memory()
            free = max(0.0, machine.available + resident_bytes() - _RESERVE * machine.total)
        self.budget = options.memory_bytes or free

    def run(self) -> LimitedBy:
        """What the largest batch is limited by."""
        size, too_large = 1, 0
        while not too_large:
            if self._too_slow(size):
                return "time"
            if self._try(size):
                if size == self._options.limit:
                    return "limit"
                size = min(2 * size, self._options.limit)
            else:
                too_large = size
        while too_large - self.fits > max(1, self._options.resolution * self.fits):
            size = (self.fits + too_large) // 2
            if self._too_slow(size):
                return "time"
            if not self._try(size):
                too_large = size
        return "memory"

    def _try(self, size: int) -> bool:
        foretold = self._foretell(size, lambda trial: trial.peak_bytes)
        if self._in_process and foretold is not None and foretold > self.budget:
            trial = BatchTrial(size, fits=False, peak_bytes=foretold, tried=False)
        else:
            trial = self._attempt(size)
            if trial.peak_bytes is not None and trial.peak_bytes > self.budget:
                trial = replace(trial, fits=False)
        self.trials[size] = trial
        if trial.fits:
            self.fits = size
        return trial.fits

    def _too_slow(self, size: int) -> bool:
        foretold = self._foretell(size, lambda trial: trial.seconds)
        return foretold is not None and foretold > self._options.seconds

    def _foretell(self, size: int, of: Callable[[BatchTrial], float | None]) -> float | None:
        """By the straight line through the two largest batches that were tried and fit."""
        fitting = [trial for _, trial in sorted(self.trials.items()) if trial.tried and trial.fits]
        points = [(t.batch, value) for t in fitting if (value := of(t)) is not None]
        if len(points) < 2:
            return None
        (n1, v1), (n2, v2) = points[-2:]
        return v2 + (size - n2) * max(0.0, v2 - v1) / (n2 - n1)


def _trier(system: System, device: Device, utterance: Utterance) -> _Try:
    def attempt(size: int) -> BatchTrial:
        """One call; what a failure left behind is given back before and after."""
        batch = AudioBatch((utterance,) * size)
        release_memory()
        device.memory.reset()
        start, fits = time.perf_counter(), True
        with peak_resident() as peak:
            try:
                system.transcribe(batch, NullProbe())
            except (OutOfMemoryError, MemoryError):
                fits = False
        seconds = time.perf_counter() - start
        on_device = device.memory.peak_bytes()
        used = max(peak.bytes, resident_bytes()) if on_device is None else on_device
        device.memory.reset()
        release_memory()
        return BatchTrial(size, fits, float(used) if fits else None, seconds if fits else None)

    return attempt
