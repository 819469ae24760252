"""What a user says of a cascade, and how it is put around an engine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from asr_scaling.batch.fixed import Fixed
from asr_scaling.cascade.engine import CascadeEngine
from asr_scaling.cascade.system import Order
from asr_scaling.core.module_use import PUNCTUATION, SPEAKER, VAD
from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import ABSENT, Absent, Batching, Engine, Fitting, ModuleSpec, option_of
from asr_scaling.errors import ConfigError

_DEVICE = re.compile(r"cpu|cuda(:\d+)?|fake")


@runtime_checkable
class Chaining(Protocol):
    """An engine whose package has a chain of its own."""

    def chained(
        self, vad: Any, punctuation: Any, speaker: Any, batch: Batching | Fitting
    ) -> Engine | None:
        """The engine with these modules inside; None where one of them isn't the package's own.

        ``vad``, ``punctuation``, ``speaker``: None where there is none.
        """


@dataclass(frozen=True)
class Cascade:
    """Modules around recognition.

    ``vad``: cuts recordings into segments, which are recognised in batches.
    ``punctuation``: adds marks and capital letters to texts.
    ``speaker``: tells voices apart.
    ``overlap``: all modules work at once, as a pipeline with queues; else one after the other.
    ``queue``: groups of segments that wait before a module, at most.
    ``block_s``: seconds of a recording that voice activity is given at once. Where modules overlap,
    the segments of a block are a group, within which batches are made.
    ``longest_s``: seconds of the longest segment: Whisper hears 30 s.
    ``merge_s``: neighbouring stretches of speech that last no longer together are one segment.
    Whisper takes as long for 2 s as for 30 s, unless dynamic_window shortens what it hears; 0
    leaves each alone, which voices need.
    """

    vad: ModuleSpec = ABSENT
    punctuation: ModuleSpec = ABSENT
    speaker: ModuleSpec = ABSENT
    overlap: bool = False
    queue: int = 4
    block_s: float = 60.0
    longest_s: float = 30.0
    merge_s: float = 0.0

    def __post_init__(self) -> None:
        must_be("cascade.queue", self.queue, self.queue >= 1, "at least 1")
        must_be("cascade.longest_s", self.longest_s, self.longest_s > 0, "more than 0 seconds")
        fits = 0 <= self.merge_s <= self.longest_s
        must_be("cascade.merge_s", self.merge_s, fits, "from 0 to cascade.longest_s")
        fits = self.block_s >= self.longest_s
        must_be("cascade.block_s", self.block_s, fits, "at least cascade.longest_s")
        for name, spec in self.specs.items():
            threads, device = spec.threads, spec.device
            known = device is None or _DEVICE.fullmatch(device) is not None
            must_be(f"{name}.device", device, known, "cpu, cuda, cuda:1 …, or null")
            must_be(f"{name}.threads", threads, threads is None or threads >= 1, "1 or more")
            must_be(f"{name}.batch", spec.batch, spec.batch >= 1, "1 or more")

    @property
    def specs(self) -> dict[str, ModuleSpec]:
        """Group → module, of those that are there."""
        every = {VAD: self.vad, PUNCTUATION: self.punctuation, SPEAKER: self.speaker}
        return {name: spec for name, spec in every.items() if not isinstance(spec, Absent)}

    def _check_own_order(self) -> None:
        """Raises ConfigError for an order of work that a package's own chain does not have."""
        if self.overlap or self.merge_s:
            raise ConfigError(
                "These modules are the engine's own chain, which works one after the other and "
                "joins nothing: leave cascade.overlap and cascade.merge_s out, or choose another "
                "vad or speaker."
            )

    def _check_batch(self, batch: Batching | Fitting) -> None:
        """Raises ConfigError for a batch, or an order of work, that these modules can't have."""
        specs, fitting = self.specs, isinstance(batch, Fitting)
        if VAD not in specs and not fitting and option_of(batch, "seconds") is not None:
            raise ConfigError(
                "batch=seconds is for the segments of recordings that voice activity cuts: add "
                "vad=silero, or say batch=8."
            )
        if not specs and self.overlap:
            raise ConfigError(
                "cascade.overlap=true has modules work at once, and there is none beside "
                "recognition: add vad=silero or speaker=resemblyzer."
            )
        if specs and fitting:
            raise ConfigError(
                "batch=max can't be had in a cascade: say batch=8, or batch=seconds where voice "
                "activity cuts recordings."
            )

    def around(
        self, engine: Engine, batch: Batching | Fitting
    ) -> tuple[Engine, Batching | Fitting]:
        """The engine with the modules around it, and how recordings become calls.

        Raises ConfigError when they make no sense together.
        """
        self._check_batch(batch)
        specs = self.specs
        if not specs:
            return engine, batch
        assert not isinstance(batch, Fitting)  # which was refused
        cuts = VAD in specs
        calls = Fixed(1) if cuts else batch  # one recording a call, whose segments are batched
        if isinstance(engine, Chaining):
            vad, punctuation, speaker = (specs.get(n) for n in (VAD, PUNCTUATION, SPEAKER))
            chained = engine.chained(vad, punctuation, speaker, batch)
            if chained is not None:
                self._check_own_order()
                return chained, calls
        order = Order(
            batch if cuts else None,
            self.overlap,
            self.queue,
            self.block_s,
            self.longest_s,
            self.merge_s,
        )
        return CascadeEngine(engine, specs, order), calls
