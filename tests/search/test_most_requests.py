"""The search for the way to serve that holds most, judged by constructed truths."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from asr_scaling.errors import ConfigError
from asr_scaling.search.serving.most_requests import most_requests
from asr_scaling.search.serving.outcome import Outcome, Seen
from asr_scaling.search.serving.ways import Options, Way, evenly

ENGINES = ("one", "two")


@dataclass
class Truth:
    """Ways that hold so many requests a second in truth, with a clock that is moved by hand.

    held: of each way.
    ceilings: of each way without a wait, never below what any of its kind holds.
    noise: standard deviation of what is measured, as a share.
    """

    held: dict[Way, float]
    ceilings: dict[Way, float]
    noise: float = 0.0
    wer: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    ceiling_takes_s: float = 20.0
    highest_takes_s: float = 100.0
    spent_s: float = 0.0
    asked: list[tuple[str, Way]] = field(default_factory=list)
    minutes: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def ceiling(self, way: Way) -> Seen:
        self.spent_s += self.ceiling_takes_s
        self.asked.append(("ceiling", way))
        return Seen(self._measured(self.ceilings[way]), wer=self.wer.get(way.engine))

    def highest(self, way: Way, between: tuple[float, float], minutes: float) -> Seen:
        start, last = between
        assert 0 < start < self.ceilings[way.unhurried] < last * (1 + 3 * self.noise)
        self.spent_s += self.highest_takes_s
        self.asked.append(("highest", way))
        self.minutes.append(minutes)
        held = self.held[way]
        if not held:
            return Seen(None, problem="nothing held")
        found = self._measured(held)
        return Seen(found, 0.95 * found)

    def _measured(self, value: float) -> float:
        return value * (1 + self.noise * float(self.rng.standard_normal()))


def best(found: Outcome) -> Way:
    """What it found to hold most."""
    return max(found.highest, key=lambda trial: trial.seen.per_s or 0.0).way


def options(**more: object) -> Options:
    return Options(ENGINES, (1, 2), **{"minutes": 60.0, **more})  # type: ignore[arg-type]


def made_up(seed: int, noise: float) -> Truth:
    """A ceiling for each way, of which it holds a share; a wait changes that a little."""
    rng = np.random.default_rng(seed)
    ways = list(options().ways)
    ceilings = {way: float(rng.lognormal(2, 0.6)) for way in ways if not way.max_wait_s}
    held = {way: ceilings[way.unhurried] * float(rng.uniform(0.6, 0.98)) for way in ways}
    return Truth(held, ceilings, noise, seed=seed)


@pytest.mark.parametrize("seed", range(40))
def test_without_noise_it_finds_what_an_exhaustive_search_finds(seed: int):
    truth = made_up(seed, 0.0)
    found = most_requests(options(), truth)
    assert best(found) == max(truth.held, key=lambda way: truth.held[way])
    assert {each.way for each in found.left} == set(truth.held) - {t.way for t in found.highest}


def test_with_noise_it_loses_little_and_spares_searches():
    lost, searched, ways = [], 0, 0
    for seed in range(200):
        truth = made_up(seed, 0.03)
        found = most_requests(options(), truth)
        most = max(truth.held.values())
        lost.append(1 - truth.held[best(found)] / most)
        searched, ways = searched + len(found.highest), ways + len(truth.held)
    assert np.mean(lost) < 0.005
    assert np.percentile(lost, 95) < 0.05
    assert searched < ways / 2


def test_ways_that_are_left_are_named_with_the_reason():
    truth = made_up(1, 0.0)
    found = most_requests(options(), truth)
    for each in found.left:
        assert "where clients always wait, and " in each.why
        assert " holds " in each.why
    assert len(found.left) > 0


class TestTime:
    def test_ceilings_have_half_of_it(self):
        truth = made_up(2, 0.0)
        found = most_requests(options(minutes=2), truth)
        assert len(found.ceilings) == 4  # 20 s each: the fourth begins at 60 s
        assert sum("no time was left to try it" in each.why for each in found.left) == 4
        assert len(found.highest) == 1

    def test_a_search_has_what_is_left_and_no_more_than_its_share(self):
        truth = made_up(3, 0.0)
        most_requests(options(minutes=8, search_minutes=3), truth)
        assert truth.minutes[0] == 3
        assert all(minutes <= 3 for minutes in truth.minutes)
        assert truth.spent_s < 8 * 60 + truth.highest_takes_s

    def test_what_was_not_searched_for_want_of_time_says_what_it_may_hold(self):
        ways = list(options().ways)
        alike = Truth(dict.fromkeys(ways, 9.0), {w: 10.0 for w in ways if not w.max_wait_s})
        found = most_requests(options(minutes=4), alike)
        assert [each.why for each in found.left if "to try it" in each.why] == [
            "no time was left to try it (2 min)"
        ]
        assert all("no time was left" in each.why for each in found.left)
        assert sum("may hold up to that" in each.why for each in found.left) == len(found.left) - 1


def test_an_engine_that_errs_more_does_not_replace_another():
    ways = list(options().ways)
    share = {"one": 1.0, "two": 3.0}
    ceilings = {way: 10 * share[way.engine] for way in ways if not way.max_wait_s}
    held = {way: 9.0 * share[way.engine] for way in ways}
    worse = Truth(held, ceilings, wer={"one": 0.05, "two": 0.06})
    engines = {trial.way.engine for trial in most_requests(options(), worse).highest}
    assert engines == {"one", "two"}
    alike = Truth(held, ceilings, wer={"one": 0.05, "two": 0.054})
    assert {t.way.engine for t in most_requests(options(), alike).highest} == {"two"}


def test_what_holds_nothing_does_not_end_the_search():
    truth = made_up(5, 0.0)
    first = max(truth.ceilings, key=lambda way: truth.ceilings[way])
    truth.held[first] = 0.0
    found = most_requests(options(), truth)
    assert best(found) != first
    assert [each.why for each in found.left if each.way == first] == ["nothing held"]


def test_nothing_can_be_measured():
    class Broken(Truth):
        def ceiling(self, way: Way) -> Seen:
            return Seen(None, problem="the engine is not installed")

    found = most_requests(options(), Broken({}, {}))
    assert not found.highest
    assert {each.why for each in found.left} == {"the engine is not installed"}


class TestOptions:
    def test_workers_leave_no_core_idle(self):
        assert [evenly(n) for n in (1, 2, 6, 8)] == [(1,), (1, 2), (1, 2, 6), (1, 2, 4, 8)]

    def test_a_wait_needs_calls_of_several(self):
        ways = list(Options(("one",), (1, 2)).ways)
        assert len(ways) == 6
        assert all(way.max_batch > 1 for way in ways if way.max_wait_s)

    def test_only_with_a_wait(self):
        ways = list(Options(("one",), (1,), max_wait_s=(0.1,)).ways)
        assert {(way.max_batch, way.max_wait_s) for way in ways} == {(1, 0), (8, 0), (8, 0.1)}

    def test_from_the_command_line(self):
        made = Options.of(
            {"workers": 2, "max_batch": [4], "stage": None, "engines": None}, ENGINES, 8
        )
        assert (made.workers, made.max_batch, made.engines) == ((2,), (4,), ENGINES)

    @pytest.mark.parametrize(
        "given",
        [
            {"workers": [0]},
            {"workers": []},
            {"max_batch": [1.5]},
            {"max_wait_s": [-1]},
            {"max_wait_s": ["long"]},
            {"minutes": 0},
            {"ceiling_s": "x"},
            {"search_minutes": True},
            {"max_wer_loss": -1},
            {"finalists": 3},
        ],
    )
    def test_what_cannot_be(self, given: dict[str, object]):
        with pytest.raises(ConfigError, match=rf"optimiser\.{next(iter(given))}"):
            Options.of(given, ENGINES, 2)
