"""What stays loaded for later points of a sweep, where that changes no measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import psutil

from asr_scaling.core.ports import Dataset, System, SystemSpec
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.measure.speech import Speech


@dataclass(frozen=True)
class Loaded:
    """A loaded system.

    ``spec``: what was loaded.
    ``kept``: it was loaded for an earlier point and has made calls.
    """

    spec: SystemSpec
    system: System
    kept: bool = False


def free_bytes() -> int:
    """Memory that the machine has free, in bytes."""
    return int(psutil.virtual_memory().available)


@dataclass
class ModelCache:
    """Holds one loaded system, or several where memory allows.

    None that compiles: what its calls cost depends on the calls before them. On a device with
    memory of its own it is one, and so it is where nobody says how much may be used.

    ``spare_bytes``: memory that several systems leave free: those that were used least recently are
    closed for it; None for one system. Where it is given, the speech of the last points is kept,
    too.
    ``free_bytes``: asks the machine; tests replace it.
    """

    spare_bytes: int | None = None
    free_bytes: Callable[[], int] = free_bytes
    _loaded: list[Loaded] = field(default_factory=list)
    _speech: list[tuple[Dataset, Pipeline, Speech]] = field(default_factory=list)

    def take(self, spec: SystemSpec) -> Loaded | None:
        """The system that was put here for a ``spec`` that loads the same.

        Where there is none, others are closed that a new one may have no room beside.
        """
        for loaded in self._loaded:
            if loaded.spec.loads_as(spec):
                self._loaded.remove(loaded)
                return replace(loaded, spec=spec, kept=True)
        self._make_room(spec)
        return None

    def put(self, loaded: Loaded) -> bool:
        """Keep ``loaded`` for a later point; False when it must not be kept."""
        if loaded.system.facts.compile_s is not None:
            return False
        self._make_room(loaded.spec)
        self._loaded.append(loaded)
        return True

    def speech(self, dataset: Dataset, pipeline: Pipeline) -> Speech:
        """The speech of a point, as it was read for an earlier one where that is kept."""
        asked = (pipeline.utterances, pipeline.spread, pipeline.scored)
        for other, options, found in self._speech:
            if (options.utterances, options.spread, options.scored) == asked and other == dataset:
                return found
        found = Speech.of(dataset, pipeline)
        if self.spare_bytes is not None:
            self._speech = [*self._speech[-3:], (dataset, pipeline, found)]
        return found

    def clear(self) -> None:
        """Close and forget what is held."""
        self._speech.clear()
        while self._loaded:
            self._loaded.pop(0).system.close()

    def _make_room(self, spec: SystemSpec) -> None:
        alone = self.spare_bytes is None or spec.device.memory.peak_bytes() is not None
        while self._loaded and (alone or self.free_bytes() < (self.spare_bytes or 0)):
            self._loaded.pop(0).system.close()
