"""One timed call, and one reading of the machine's state between two calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from asr_scaling.core.module_use import ModuleUse


@dataclass(frozen=True)
class Sample:
    """One timed call. Times are on the device's clock.

    utterances: ids of the utterances in the batch.
    audio_s: seconds of speech in the batch, without padding.
    processed_s: seconds of audio that the system processed.
    total_s: seconds that the call took.
    stages: stage → seconds; they add up to ``total_s``, with stage "other" for the rest.
    first_token_s: seconds until the first decoded token; None if unknown.
    step_s: seconds of each decoding step after the first, of all windows; empty without steps.
    tokens: decoded tokens of each utterance.
    started_at: when the call began, in seconds.
    again: number of utterances decoded a second time because the first text was a loop.
    process: number of the process that made the call, from 0, where several measured the point.
    modules: module of a cascade → what it cost; empty for other systems.
    cpu_s: processor seconds of the whole process during a call of a cascade; None for others.
    """

    utterances: tuple[str, ...]
    audio_s: float
    processed_s: float
    total_s: float
    stages: Mapping[str, float]
    first_token_s: float | None = None
    step_s: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()
    started_at: float = 0.0
    again: int = 0
    process: int = 0
    modules: Mapping[str, ModuleUse] = field(default_factory=dict)
    cpu_s: float | None = None


@dataclass(frozen=True)
class Beat:
    """One reading of the metronome, taken between two calls.

    at: when it began, in seconds, on the clock of ``Sample.started_at``.
    seconds: probe → seconds that it took.
    process: number of the process that took it, as in ``Sample``.
    """

    at: float
    seconds: Mapping[str, float]
    process: int = 0
