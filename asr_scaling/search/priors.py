"""What is expected before anything is measured: it orders the trials, and is never a result.

The table is made from committed measurements by ``benchmarks/search_priors.py``, one part for each
class of processor. Where it knows nothing, nothing is expected, with a wide spread.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from asr_scaling.search.candidates import Entry

_WIDE = 0.20
"""Standard deviation of what an optimisation of which nothing is known does, in log speed."""
_NARROWEST = 0.06
"""What is known of other machines or models is never taken for more exact than this."""
_ENGINE = 0.35
"""Standard deviation of how much faster an engine is, where nothing is known."""
_LOAD_S = 2.0
"""Seconds that loading is expected to take, where nothing is known."""
_OTHER_SIZE, _OTHER_CLASS = 0.15, 0.15
"""What is known at another size of batch, or of another class of processor, is off by so much."""
_ORDER = ("amx", "avx512_bf16", "vnni", "avx2")
"""Classes of processor, each of which can all that the next one can."""
_THROUGHPUT = 4
"""From this batch size on, a batch counts as a large one in the table."""


@dataclass(frozen=True)
class Expected:
    """The gain that is expected of something."""

    mean: float = 0.0
    """In log speed: 0.7 is twice as fast."""
    sd: float = _WIDE
    extra_s: float = 0.0
    """Seconds that it makes loading and the first call longer, as compiling does."""

    def widened(self, sd: float) -> Expected:
        """The same, known less exactly by an independent standard deviation."""
        return replace(self, sd=math.hypot(self.sd, sd))


@dataclass(frozen=True)
class Priors:
    """Of one class of processor.

    ``engines``: engine → size of batch ("one", "many") → what is expected of it bare, against the
    baseline's engine; its ``extra_s`` is what loading takes.
    ``options``: engine → optimisation → size of batch → what it adds there.
    """

    engines: Mapping[str, Mapping[str, Expected]] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Mapping[str, Expected]]] = field(default_factory=dict)

    def engine(self, entry: Entry) -> Expected:
        """Of the engine of an entry, bare."""
        known = _at(self.engines.get(entry.candidate.engine, {}), entry)
        return known or Expected(sd=_ENGINE, extra_s=_LOAD_S)

    def option(self, entry: Entry, name: str) -> Expected:
        """Of one optimisation on the engine of an entry."""
        known = _at(self.options.get(entry.candidate.engine, {}).get(name, {}), entry)
        return known or Expected()

    def or_else(self, other: Priors) -> Priors:
        """These, and what only the other knows."""
        options = {
            engine: {**other.options.get(engine, {}), **self.options.get(engine, {})}
            for engine in {**other.options, **self.options}
        }
        return Priors({**other.engines, **self.engines}, options)

    def expected(self, entry: Entry) -> float:
        """The log speed of an entry against the baseline, as the sum of its parts."""
        names = entry.candidate.optimisations
        return self.engine(entry).mean + sum(self.option(entry, name).mean for name in names)


def _at(sizes: Mapping[str, Expected], entry: Entry) -> Expected | None:
    """What is known at the batch size of an entry, or, less exactly, at the other one."""
    size, other = ("many", "one") if entry.batch >= _THROUGHPUT else ("one", "many")
    return sizes.get(size) or (sizes[other].widened(_OTHER_SIZE) if other in sizes else None)


def priors_of(processor: str) -> Priors:
    """Of a class of processor (machine/instructions.py).

    What its part of the table lacks is taken, less exactly, from the next class that can less.
    """
    found, table = Priors(), _table()
    below = _ORDER[_ORDER.index(processor) :] if processor in _ORDER else (processor,)
    for name in below:
        if name in table:
            wider = 0.0 if name == processor else _OTHER_CLASS
            found = found.or_else(priors_from(table[name], wider))
    return found


def priors_from(known: Any, wider: float = 0.0) -> Priors:
    """Of a part of the table, known less exactly by the standard deviation ``wider``."""
    engines = {
        engine: {size: _expected(values).widened(wider) for size, values in sizes.items()}
        for engine, sizes in known["engines"].items()
    }
    options = {
        engine: {
            name: {size: _expected(values).widened(wider) for size, values in sizes.items()}
            for name, sizes in names.items()
        }
        for engine, names in known["options"].items()
    }
    return Priors(engines, options)


def _expected(values: list[float]) -> Expected:
    mean, sd, extra_s = values
    return Expected(mean, max(sd, _NARROWEST), extra_s)


@cache
def _table() -> Any:
    path = Path(__file__).with_name("priors.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
