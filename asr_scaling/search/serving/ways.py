"""Ways to serve a model, and what is searched among."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from asr_scaling.core.option_checks import must_be
from asr_scaling.errors import ConfigError

_CLIENTS = 2
"""Clients for each request that fits into the calls of all workers, so that calls are never short
of requests."""
_SET = ("stage",)
"""Set for each point by the search, not by the user."""


@dataclass(frozen=True)
class Way:
    """How requests become calls of an engine.

    workers: processes, among which the cores are shared out; one is this process.
    max_batch: requests of a call, at most.
    max_wait_s: how long the oldest waits for others before its call begins.
    """

    engine: str
    workers: int = 1
    max_batch: int = 1
    max_wait_s: float = 0.0

    @property
    def label(self) -> str:
        """ "openvino, 2 workers, up to 8 requests a call, waiting 0.2 s"."""
        called = "one worker" if self.workers == 1 else f"{self.workers} workers"
        calls = f"up to {self.max_batch} requests a call" if self.max_batch > 1 else "single calls"
        waits = f", waiting {self.max_wait_s:g} s" if self.max_wait_s else ""
        return f"{self.engine}, {called}, {calls}{waits}"

    @property
    def place(self) -> str:
        """Its name in the folder of a point."""
        waits = f"_wait{self.max_wait_s:g}" if self.max_wait_s else ""
        return f"{self.engine}_w{self.workers}_b{self.max_batch}{waits}"

    @property
    def clients(self) -> int:
        """Clients that send whenever they are answered, so that it is never idle."""
        return _CLIENTS * self.workers * self.max_batch + 1

    @property
    def serving(self) -> str:
        """Its choice of the group ``serving``."""
        if self.workers > 1:
            return "replicas"
        return "batched" if self.max_batch > 1 else "direct"

    @property
    def options(self) -> Mapping[str, object]:
        """Options of that choice."""
        sharing = {"max_batch": self.max_batch, "max_wait_s": self.max_wait_s}
        if self.workers > 1:
            return {"workers": self.workers, **sharing}
        return sharing if self.max_batch > 1 else {}

    @property
    def unhurried(self) -> Way:
        """The same without a wait, which serves as many where requests always wait."""
        return replace(self, max_wait_s=0.0)


@dataclass(frozen=True)
class Options:
    """The options ``optimiser.*`` of the search. Raises ConfigError for those that can't be.

    engines: to try.
    minutes: wall time for everything.
    workers: numbers of processes; those that share ``cores`` evenly where None are given.
    max_batch, max_wait_s: values of the options of ``serving``; a wait is tried with batches.
    ceiling_s: seconds of requests that tell how many a way serves at most.
    search_minutes: of one search for the highest rate, at most.
    max_wer_loss: points of WER that may be lost to an engine that holds more.
    """

    engines: tuple[str, ...]
    workers: tuple[int, ...]
    minutes: float = 10.0
    max_batch: tuple[int, ...] = (1, 8)
    max_wait_s: tuple[float, ...] = (0.0, 0.2)
    ceiling_s: float = 10.0
    search_minutes: float = 2.5
    max_wer_loss: float = 0.5

    def __post_init__(self) -> None:
        for name in ("workers", "max_batch"):
            values = getattr(self, name)
            fits = values and all(type(value) is int and value >= 1 for value in values)
            must_be(f"optimiser.{name}", list(values), fits, "whole numbers from 1")
        waits = [_number(value) for value in self.max_wait_s]
        fits = bool(waits) and all(0 <= value < math.inf for value in waits)
        must_be("optimiser.max_wait_s", list(self.max_wait_s), fits, "seconds from 0")
        for name in ("minutes", "ceiling_s", "search_minutes"):
            value = getattr(self, name)
            must_be(f"optimiser.{name}", value, 0 < _number(value) < math.inf, "above 0")
        must_be(
            "optimiser.max_wer_loss",
            self.max_wer_loss,
            _number(self.max_wer_loss) >= 0,
            "0 or more",
        )

    @property
    def ways(self) -> Iterator[Way]:
        """All ways; those without a wait, whose ceilings are measured, come first."""
        for wait in sorted({0.0, *self.max_wait_s}):
            for engine in self.engines:
                for workers in self.workers:
                    for batch in self.max_batch:
                        if wait == 0 or (batch > 1 and wait in self.max_wait_s):
                            yield Way(engine, workers, batch, wait)

    @property
    def seconds(self) -> float:
        """The time budget."""
        return 60.0 * self.minutes

    @classmethod
    def of(cls, given: Mapping[str, Any], engines: Sequence[str], cores: int) -> Options:
        """From the options ``optimiser.*``; those that are null have their usual values.

        engines: where ``given`` names none.
        cores: that this process may use.
        Raises ConfigError for an option there is not.
        """
        names = [option.name for option in fields(cls)]
        for name in given:
            if name not in names and name not in _SET:
                raise ConfigError(
                    f"There is no option optimiser.{name} here; choose {', '.join(names)}."
                )
        values: dict[str, Any] = {"engines": engines, "workers": evenly(cores)}
        values |= {name: given[name] for name in names if given.get(name) is not None}
        for name in ("engines", "workers", "max_batch", "max_wait_s"):
            if name in values:
                value = values[name]
                several = value if isinstance(value, list | tuple) else [value]
                values[name] = tuple(dict.fromkeys(several))
        return cls(**values)


def evenly(cores: int) -> tuple[int, ...]:
    """Numbers of workers that leave no core idle: powers of two, and one for each core."""
    powers = [2**n for n in range(cores.bit_length()) if cores % 2**n == 0]
    return tuple(sorted({*powers, cores}))


def _number(value: Any) -> float:
    """The value; NaN, which fits nowhere, for what is no number."""
    return float(value) if type(value) in (int, float) else math.nan
