"""Where the time of a call went, and what of it a change to the system could spare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from asr_scaling.analysis.bottlenecks.diagnosis import stage_seconds
from asr_scaling.analysis.points import Point, windows
from asr_scaling.machine.instructions import processor_class

MARGIN_S = 4.0
"""Seconds that ``optimisation=[dynamic_window]`` leaves behind the speech, by its YAML."""
_STEP_S = 0.5
"""Shortened windows are multiples of it."""
_VARIATION = 0.4
"""Standard deviation of the length of natural utterances over their mean, in the bundled speech."""


@dataclass(frozen=True)
class Timed:
    """The stages of a call, and what they depend on.

    model, family, engine, processor: what computed; ``processor`` is a class of processor.
    optimisations: in no order.
    batch: utterances in a call.
    length_s: of fragments; None for natural utterances.
    audio_s: mean seconds of an utterance.
    window_s: seconds that the encoder always gets; None without a window.
    faults_per_s: page faults; 0 where they were not counted.
    stages: stage → mean seconds of a call.
    at: seconds since 1970.
    """

    model: str
    family: str
    engine: str
    processor: str
    optimisations: frozenset[str]
    batch: int
    length_s: float | None
    audio_s: float
    window_s: float | None
    faults_per_s: float
    stages: Mapping[str, float]
    at: float = 0.0

    @classmethod
    def of(cls, point: Point, processor: str | None = None) -> Timed:
        """processor: its class, where the record of ``point`` is too old to know it."""
        return cls(
            model=point.model,
            family=point.family,
            engine=point.engine,
            processor=processor or processor_class(point.environment, point.device),
            optimisations=frozenset(point.optimisations),
            batch=point.batch,
            length_s=point.length_s,
            audio_s=point.audio_s,
            window_s=point.window_s,
            faults_per_s=point.value("noise/page_faults_per_s") or 0.0,
            stages=stage_seconds(point),
            at=point.started_at,
        )

    @property
    def call_s(self) -> float:
        """Mean seconds of a call."""
        return math.fsum(self.stages.values())

    @property
    def longest_s(self) -> float:
        """Seconds of the longest utterance of a call, as far as the mean tells.

        Of several natural utterances it is what the largest of so many normal values is at most, in
        the mean: √(2 ln n) standard deviations above it.
        """
        if self.length_s is not None or self.batch < 2:
            return self.audio_s
        return self.audio_s * (1 + _VARIATION * math.sqrt(2 * math.log(self.batch)))

    @property
    def spared_window(self) -> float:
        """-log of the share of the window that a shortened one has; 0 where none is spared."""
        if not self.window_s or windows(self.longest_s, self.window_s) > 1:
            return 0.0
        needed = math.ceil((self.longest_s + MARGIN_S) / _STEP_S - 1e-9) * _STEP_S
        return max(0.0, -math.log(needed / self.window_s))

    def grown(self, batch: int) -> float:
        """Logarithm of how much larger calls of ``batch`` utterances are; 0 where they are not."""
        return math.log(max(1.0, batch / self.batch)) if self.batch else 0.0
