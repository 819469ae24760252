"""Made-up worlds for benchmarks/search_regret.py, each with a trap in which a search may be caught.

Common to all: four engines and eight optimisations whose effects on each engine are drawn from a
seed, 0.3 s to 1 s of computing for an utterance, and 60 utterances on which the baseline errs in
one word of twenty. ``TRAPS`` says what is special in each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import combinations
from typing import Any, cast

import numpy as np
from replayed_world import Way, World

from asr_scaling.search.candidates import Candidate, Entry
from asr_scaling.search.priors import Expected, Priors

ENGINES = ("plain", "east", "west", "north")
BATCHES = (1, 16)
UTTERANCES = 60
EFFECTS = {
    "bits8": (0.30, 0.15),
    "bits16": (0.20, 0.15),
    "window": (0.50, 0.15),
    "fused": (0.02, 0.03),
    "heap": (0.02, 0.02),
    "built": (0.03, 0.03),
    "cut": (0.10, 0.05),
    "narrow": (-0.50, 0.10),
}
"""Optimisation → mean and standard deviation of its effect on an engine, in log speed."""
EXCLUDES = {"bits8", "bits16"}
ENGINE_SD, PAIR_SD, OTHER_BATCH = 0.35, 0.03, 0.7
BUILD_S = 70.0
"""Seconds that "built" makes the first call longer."""
CUT = 0.15
"""Share of the words that "cut" makes wrong."""


@dataclass
class Laws:
    """What a world is made of; a trap changes it.

    ``engine``: (engine, batch) → log speed bare, against the first engine's.
    ``effect``: (engine, optimisation, batch) → what it adds.
    ``pair``: (engine, two optimisations, batch) → what they add together beyond that.
    ``errs``: (engine, optimisation) → share of all words more that are wrong.
    ``process_sd``: engine → spread between its processes.
    ``failing``: engines and optimisations that fail when loaded.
    ``rest``: other options of the world.
    """

    engine: dict[tuple[str, int], float]
    effect: dict[tuple[str, str, int], float]
    pair: dict[tuple[str, frozenset[str], int], float]
    errs: dict[tuple[str, str], float]
    process_sd: dict[str, float]
    failing: set[str] = field(default_factory=set)
    rest: dict[str, float] = field(default_factory=dict)

    def all_batches(self, engine: str, **effects: float) -> None:
        """Set effects on an engine at every batch size."""
        for batch in BATCHES:
            self.effect |= {(engine, name, batch): value for name, value in effects.items()}

    def together(self, engine: str, one: str, two: str, value: float) -> None:
        """What two add together, at every batch size."""
        self.pair |= {(engine, frozenset((one, two)), batch): value for batch in BATCHES}

    def bare(self, **engines: float) -> None:
        """Set log speeds of bare engines at every batch size."""
        self.engine |= {(name, batch): v for name, v in engines.items() for batch in BATCHES}


def _drawn(random: np.random.Generator) -> Laws:
    """Laws without a trap."""

    def at_both(mean: float, sd: float) -> Iterator[tuple[int, float]]:
        one, other = random.normal(size=2)
        yield 1, mean + sd * one
        yield 16, mean + sd * (OTHER_BATCH * one + math.sqrt(1 - OTHER_BATCH**2) * other)

    laws = Laws({}, {}, {}, {}, dict.fromkeys(ENGINES, 0.06))
    for engine in ENGINES:
        for batch, value in at_both(0.0, ENGINE_SD):
            laws.engine[engine, batch] = 0.0 if engine == ENGINES[0] else value
        for name, (mean, sd) in EFFECTS.items():
            for batch, value in at_both(mean, sd):
                laws.effect[engine, name, batch] = value
        for two in combinations(EFFECTS, 2):
            for batch, value in at_both(-0.01, PAIR_SD):
                laws.pair[engine, frozenset(two), batch] = value
        laws.errs[engine, "cut"] = CUT
    return laws


def _order(laws: Laws) -> None:
    laws.bare(east=0.25)
    for engine in ENGINES:
        laws.all_batches(engine, bits16=0.35, bits8=0.15)
        laws.together(engine, "bits8", "window", 0.35)


def _pairs(laws: Laws) -> None:
    laws.bare(west=0.2)
    laws.all_batches("west", fused=-0.06, heap=-0.05)
    laws.together("west", "fused", "heap", 0.5)


def _noisy(laws: Laws) -> None:
    laws.process_sd["north"] = 0.25


def _drifting(laws: Laws) -> None:
    laws.rest = {"drift_sd": 0.15, "drift_s": 180.0}


def _slow_start(laws: Laws) -> None:
    laws.bare(east=-0.2)
    laws.all_batches("east", window=-0.15, bits8=0.9, bits16=0.3)
    laws.together("east", "bits8", "window", 0.5)


def _wrong_fastest(laws: Laws) -> None:
    laws.bare(west=0.5)
    laws.errs |= {("west", "bits8"): 0.05, ("west", "window"): 0.02}


def _slightly_wrong(laws: Laws) -> None:
    laws.bare(north=0.3)
    laws.errs |= {("north", "bits8"): 0.009}
    laws.all_batches("north", bits8=0.45, bits16=0.30)


def _build_in_vain(laws: Laws) -> None:
    for engine in ENGINES:
        laws.all_batches(engine, built=-0.01)


def _build_worth_it(laws: Laws) -> None:
    laws.bare(east=0.2)
    laws.all_batches("east", built=0.4)


def _failing(laws: Laws) -> None:
    laws.failing = {"north", "fused"}


def _one_engine_only(laws: Laws) -> None:
    for engine in ENGINES:
        laws.all_batches(engine, bits8=-0.05)
    laws.all_batches("west", bits8=0.7)
    laws.bare(west=-0.1)


def _equal(laws: Laws) -> None:
    laws.bare(east=0.0, west=0.0, north=0.0)
    for engine in ENGINES:
        laws.all_batches(engine, window=0.5, bits8=0.3, bits16=0.3, fused=0.0, heap=0.0, built=0.0)
    laws.pair = dict.fromkeys(laws.pair, 0.0)


def _opposite_batches(laws: Laws) -> None:
    laws.engine |= {("east", 1): 0.6, ("east", 16): -0.4, ("west", 1): -0.4, ("west", 16): 0.6}


TRAPS: dict[str, Callable[[Laws], None]] = {
    "order": _order,
    "pairs": _pairs,
    "noisy engine": _noisy,
    "drift": _drifting,
    "slow start": _slow_start,
    "wrong fastest": _wrong_fastest,
    "slightly wrong": _slightly_wrong,
    "build in vain": _build_in_vain,
    "build worth it": _build_worth_it,
    "failing": _failing,
    "one engine only": _one_engine_only,
    "equal": _equal,
    "opposite batches": _opposite_batches,
}
"""What is special in each world.

``order``: the better data type alone is the worse one together with the window.
``pairs``: two options that slow an engine down alone make it 1.5 times as fast together.
``noisy engine``: one engine's processes differ by 25 %.
``drift``: the host drifts by 15 % within minutes.
``slow start``: an engine that is fastest in the end begins behind, and its first option slows it.
``wrong fastest``: the fastest engine errs in 2 to 7 words of 100 more when it is made fast.
``slightly wrong``: the fastest is 0.4 points beyond what is allowed.
``build in vain``, ``build worth it``: 70 s of compiling gain nothing, or 1.5 times the speed.
``failing``: an engine, and an option on all, fail when they are loaded.
``one engine only``: 8 bits slow all engines but one, which they make twice as fast.
``equal``: all engines and many options are as fast.
``opposite batches``: the fastest engine at one batch size is the slowest at the other.
"""


@lru_cache(maxsize=32)
def made_up(trap: str, seed: int) -> World:
    """The world of a trap, with effects drawn from ``seed``."""
    random = np.random.default_rng([list(TRAPS).index(trap), seed])
    laws = _drawn(random)
    TRAPS[trap](laws)
    durations = np.round(random.lognormal(math.log(4.0), 0.5, UTTERANCES), 2)
    words = np.maximum(2, np.round(2.6 * durations)).astype(int)
    plain_wrong = random.binomial(words, 0.05)
    once_s = random.uniform(0.3, 1.0) / 4.5
    texts = _Texts(laws, words, plain_wrong, random)
    mean_s = float(durations.mean())
    ways = {}
    for engine in ENGINES:
        for names in _compositions():
            wrong = texts.wrong(engine, names)
            for batch in BATCHES:
                entry = Entry(Candidate(engine, names), batch)
                seconds = (
                    once_s * mean_s * batch * math.exp(-_log_speed(laws, engine, names, batch))
                )
                ways[entry] = Way(
                    fixed_s=seconds / 3,
                    per_s=2 * seconds / 3 / (mean_s * batch),
                    load_s=1.0 + ENGINES.index(engine) / 2,
                    wrong=wrong,
                    process_sd=laws.process_sd[engine],
                    compile_s=BUILD_S * ("built" in names),
                    problem="it failed." if laws.failing & {engine, *names} else "",
                )
    plain = World(
        trap, ENGINES, tuple(EFFECTS), ways, tuple(durations.tolist()), tuple(words.tolist())
    )
    return replace(plain, priors=_expected(), **cast(dict[str, Any], laws.rest))


def _expected() -> Priors:
    """What is known beforehand: the mean effects of all worlds, on no engine in particular."""
    sizes = ("one", "many")
    options = {
        name: dict.fromkeys(sizes, Expected(mean, extra_s=BUILD_S * (name == "built")))
        for name, (mean, _) in EFFECTS.items()
    }
    bare = dict.fromkeys(sizes, Expected(0.0, ENGINE_SD, 2.0))
    return Priors(dict.fromkeys(ENGINES, bare), dict.fromkeys(ENGINES, options))


def _compositions() -> Iterator[tuple[str, ...]]:
    for count in range(len(EFFECTS) + 1):
        for names in combinations(EFFECTS, count):
            if not set(names) >= EXCLUDES:
                yield names


def _log_speed(laws: Laws, engine: str, names: tuple[str, ...], batch: int) -> float:
    alone = sum(laws.effect[engine, name, batch] for name in names)
    pairs = (laws.pair[engine, frozenset(two), batch] for two in combinations(names, 2))
    return laws.engine[engine, batch] + alone + sum(pairs)


class _Texts:
    """Word errors of every composition: the baseline's, a few words changed, and what is wrong."""

    def __init__(
        self,
        laws: Laws,
        words: np.ndarray[tuple[int], np.dtype[np.int64]],
        plain: np.ndarray[tuple[int], np.dtype[np.int64]],
        random: np.random.Generator,
    ) -> None:
        self._words, self._plain = words, plain
        self._more, self._less = {}, {}
        for engine in ENGINES:
            for name in ("", "bits8", "bits16", "window", "cut"):
                errs = laws.errs.get((engine, name), 0.0) if name else 0.0
                changed = 0.0 if (engine, name) == (ENGINES[0], "") else 0.002
                self._more[engine, name] = random.binomial(words, changed + errs)
                self._less[engine, name] = random.binomial(plain, changed / 0.05)

    def wrong(self, engine: str, names: tuple[str, ...]) -> tuple[int, ...]:
        """Word errors of each utterance."""
        found = self._plain.copy()
        for name in ("", *names):
            if (engine, name) in self._more:
                found = found + self._more[engine, name] - self._less[engine, name]
        return tuple(np.clip(found, 0, self._words).tolist())
