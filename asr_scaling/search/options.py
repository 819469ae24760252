"""What a search is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from asr_scaling.errors import ConfigError
from asr_scaling.measure.pipeline import Pipeline

_NOT_OPTIONS = ("stage",)
"""Set for each point by the search, not by the user."""


@dataclass(frozen=True)
class Options:
    """The options ``optimiser.*``. Raises ConfigError for values that make no sense."""

    engines: tuple[str, ...]
    """Engines to try; the first is the baseline."""
    optimisations: tuple[str, ...]
    """Optimisations to try."""
    first: tuple[str, ...] = ()
    """Optimisations that are tried first."""
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
    max_seconds: float = 3.0
    """Seconds of timing of a point while searching."""
    finalists: int = 2
    """Combinations measured with the full budget beside the baseline."""
    rounds: int = 2
    """How often each of them is measured."""
    pipeline: Pipeline = field(default_factory=Pipeline)
    """The full budget of a point."""

    def __post_init__(self) -> None:
        if not self.engines:
            raise ConfigError(
                "optimiser.engines names no engine: leave it null for all, or name the baseline "
                "first."
            )
        whole = (*self.batches, self.utterances, self.final_utterances, self.finalists, self.rounds)
        if not self.batches or not all(
            isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in whole
        ):
            raise ConfigError(
                "optimiser.batches, utterances, final_utterances, finalists and rounds must be "
                "positive whole numbers."
            )
        for name in ("minutes", "max_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(
                    f"optimiser.{name} must be more than 0; got {getattr(self, name)}."
                )
        if not self.max_wer_loss >= 0:
            raise ConfigError(
                f"optimiser.max_wer_loss must be 0 or more points; got {self.max_wer_loss}."
            )

    @property
    def ordered(self) -> tuple[str, ...]:
        """The optimisations in the order in which they are tried."""
        ahead = [name for name in self.first if name in self.optimisations]
        return (*ahead, *(name for name in self.optimisations if name not in ahead))

    @property
    def final(self) -> Pipeline:
        """The budget of a point in the final."""
        given = self.pipeline.utterances
        return (
            self.pipeline
            if given is None
            else replace(self.pipeline, utterances=max(given, self.final_utterances))
        )

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
        """From the options ``optimiser.*``, checked against the engines and optimisations there
        are.

        Raises ConfigError for an unknown option or name.
        """
        known = {f.name for f in fields(cls)} - {"pipeline"}
        for name in given:
            if name not in known and name not in _NOT_OPTIONS:
                raise ConfigError(
                    f"There is no option optimiser.{name}; choose {', '.join(sorted(known))}."
                )
        values: dict[str, Any] = {
            name: given[name] for name in known if given.get(name) is not None
        }
        values["engines"] = _among(values.get("engines", engines), engines, "engines")
        values["optimisations"] = _among(
            values.get("optimisations", optimisations), optimisations, "optimisations"
        )
        if "first" in values:
            values["first"] = _among(values["first"], optimisations, "first")
        if "batches" in values:
            sizes = (
                values["batches"]
                if isinstance(values["batches"], (list, tuple))
                else [values["batches"]]
            )
            values["batches"] = tuple(dict.fromkeys(sizes))
        try:
            return cls(**values, pipeline=pipeline)
        except TypeError as error:
            raise ConfigError(
                f"The options optimiser.* can't be used ({error}): each takes a number."
            ) from error


def _among(names: Any, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    found = tuple(names) if isinstance(names, (list, tuple)) else (str(names),)
    for name in found:
        if name not in known:
            raise ConfigError(f"optimiser.{what} names '{name}'; choose from {', '.join(known)}.")
    return found
