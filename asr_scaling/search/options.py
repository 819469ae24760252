"""What a search is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from asr_scaling.errors import ConfigError
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.search.candidates import Stage

_NOT_OPTIONS = ("stage", "rank")
"""Set for each point by the search, not by the user."""
_WARM_S = 2.0
"""Seconds that a warm-up usually takes."""
SEMIFINAL_READS = 60
"""Utterances that are read in the semifinal: about 800 words tell what errs grossly."""


@dataclass(frozen=True)
class Options:
    """The options ``optimiser.*``. Raises ConfigError for values that make no sense."""

    engines: tuple[str, ...]
    """Engines to try; the first is the baseline."""
    optimisations: tuple[str, ...]
    """Optimisations to try."""
    minutes: float = 20.0
    """Wall time for everything."""
    batches: tuple[int, ...] = (1, 16)
    """Batch sizes, each a search of its own: 1 for latency, larger ones for throughput."""
    max_wer_loss: float = 0.5
    """Points of WER that speed may cost."""
    utterances: int = 6
    """Utterances of a point while searching."""
    final_utterances: int = 48
    """Least utterances of a point in the final: half a point of WER takes hundreds of words."""
    max_seconds: float = 4.0
    """Seconds of timing of a point in the semifinal."""
    finalists: int = 5
    """Combinations of each batch size that come into the semifinal."""
    processes: int = 3
    """In how many fresh processes, in turn, each is measured in the final."""
    pipeline: Pipeline = field(default_factory=Pipeline)
    """The full budget of a point."""

    def __post_init__(self) -> None:
        if not self.engines:
            raise ConfigError(
                "optimiser.engines names no engine: leave it null for all, or name the baseline "
                "first."
            )
        counts = (self.utterances, self.final_utterances, self.finalists, self.processes)
        whole = (*self.batches, *counts)
        if not self.batches or not all(
            isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in whole
        ):
            raise ConfigError(
                "optimiser.batches, utterances, final_utterances, finalists and processes must be "
                "positive whole numbers."
            )
        for name, value in (("minutes", self.minutes), ("max_seconds", self.max_seconds)):
            if not 0 < value < math.inf:
                raise ConfigError(f"optimiser.{name} must be more than 0; got {value}.")
        loss = self.max_wer_loss
        if not loss >= 0:
            raise ConfigError(f"optimiser.max_wer_loss must be 0 or more points; got {loss}.")

    @property
    def final(self) -> Pipeline:
        """The budget of a point in the final."""
        given = self.pipeline.utterances
        most = None if given is None else max(given, self.final_utterances)
        return replace(self.pipeline, utterances=most)

    @property
    def max_wer_share(self) -> float:
        """``max_wer_loss`` as a share."""
        return self.max_wer_loss / 100

    def timed_s(self, stage: Stage) -> float:
        """Seconds of timing in a process of the semifinal or the final, at least."""
        full = self.pipeline
        if stage == "final":
            return full.max_seconds + min(full.warmup_seconds, _WARM_S)
        return min(self.max_seconds, full.max_seconds) + _WARM_S / 2

    def semifinal_utterances(self, batch: int) -> int:
        """Utterances that are timed in a process of the semifinal.

        At batch 1 all that it reads: a few don't show how often a text is decoded again. At others
        those of two batches.
        """
        if batch > 1:
            return 2 * batch
        given = self.pipeline.utterances
        return SEMIFINAL_READS if given is None else min(SEMIFINAL_READS, 4 * given)

    @property
    def seconds(self) -> float:
        """The time budget."""
        return 60.0 * self.minutes

    @classmethod
    def of(
        cls,
        given: Mapping[str, Any],
        engines: tuple[str, ...],
        optimisations: tuple[str, ...],
        pipeline: Pipeline,
    ) -> Options:
        """From the options ``optimiser.*``, checked against the names there are.

        Raises ConfigError for an unknown option or name.
        """
        options = {option.name for option in fields(cls)} - {"pipeline"}
        for name in given:
            if name not in options and name not in _NOT_OPTIONS:
                choices = ", ".join(sorted(options))
                raise ConfigError(f"There is no option optimiser.{name}; choose {choices}.")
        values: dict[str, Any] = {"engines": engines, "optimisations": optimisations}
        values |= {name: given[name] for name in options if given.get(name) is not None}
        for name in ("engines", "optimisations"):
            if name in values:
                allowed = engines if name == "engines" else optimisations
                values[name] = _among(values[name], allowed, name)
        if "batches" in values:
            sizes = values["batches"]
            sizes = sizes if isinstance(sizes, (list, tuple)) else [sizes]
            values["batches"] = tuple(dict.fromkeys(sizes))
        try:
            return cls(**values, pipeline=pipeline)
        except TypeError as error:
            raise ConfigError(
                f"The options optimiser.* can't be used ({error}): each takes a number."
            ) from error


def _among(given: Any, allowed: tuple[str, ...], option: str) -> tuple[str, ...]:
    names = tuple(given) if isinstance(given, (list, tuple)) else (str(given),)
    for name in names:
        if name not in allowed:
            choices = ", ".join(allowed)
            raise ConfigError(f"optimiser.{option} names '{name}'; choose from {choices}.")
    return names
