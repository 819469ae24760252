"""What a search believes of speeds: against the textbook's formula, and against samples."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_scaling.search import speed_model
from asr_scaling.search.candidates import Candidate, Entry
from asr_scaling.search.priors import Expected, Priors
from asr_scaling.search.speed_model import Sighting, SpeedModel

NAMES = ("a", "b", "c")
ENTRIES = st.builds(
    Entry,
    st.builds(
        lambda engine, names: Candidate(engine, tuple(names)),
        st.sampled_from(["transformers", "other"]),
        st.sets(st.sampled_from(NAMES)),
    ),
    st.sampled_from([1, 16]),
)
SIGHTINGS = st.lists(
    st.builds(
        Sighting,
        ENTRIES,
        st.floats(-2, 2),
        st.floats(0, 1200),
        st.floats(0.01, 0.1),
        st.sampled_from(["few", "many"]),
    ),
    max_size=8,
)
PRIORS = Priors(
    engines={"other": {"one": Expected(0.4, 0.2, 3.0), "many": Expected(-0.1, 0.3)}},
    options={"other": {"a": {"one": Expected(0.3, 0.1), "many": Expected(0.0, 0.4)}}},
)


def covariance(a: Entry, b: Entry) -> float:
    """Of two entries' log speeds, term by term as the model's docstring says."""
    one, two = a.candidate, b.candidate
    both = set(one.optimisations) & set(two.optimisations)
    total = len(both) * speed_model._SHARED**2
    if one.engine == two.engine:
        total += PRIORS.engine(a).sd * PRIORS.engine(b).sd
        total += sum(PRIORS.option(a, n).sd * PRIORS.option(b, n).sd for n in both)
        total += len(list(combinations(both, 2))) * speed_model._PAIR**2
        total += speed_model._ARM**2 * (one == two)
    return total * (1.0 if a.batch == b.batch else speed_model._OTHER_BATCH)


class TestSpeedModel:
    @settings(deadline=None, max_examples=40)
    @given(SIGHTINGS, st.lists(ENTRIES, min_size=1, max_size=4, unique=True))
    def test_it_is_the_posterior_of_a_gaussian(self, sightings: list[Sighting], asked: list[Entry]):
        """Against the textbook's formula with an inverse, of one dense matrix."""
        model = SpeedModel(PRIORS, NAMES)
        for sighting in sightings:
            model.add(sighting)
        beliefs = model.believed(asked)
        means = np.array([PRIORS.expected(entry) for entry in asked])
        spread = matrix(asked, asked)
        if sightings:
            seen = [sighting.entry for sighting in sightings]
            off = [s.log_speed - PRIORS.expected(s.entry) for s in sightings]
            noise = [[apart(s, t) for t in sightings] for s in sightings]
            gained = matrix(asked, seen) @ np.linalg.inv(matrix(seen, seen) + np.array(noise))
            means = means + gained @ np.array(off)
            spread = spread - gained @ matrix(seen, asked)
        assert beliefs.means == pytest.approx(means, abs=1e-6)
        ahead, sds = beliefs.ahead(0)
        assert ahead == pytest.approx(means - means[0], abs=1e-6)
        wide = np.diag(spread) + spread[0, 0] - 2 * spread[:, 0]
        assert sds**2 == pytest.approx(wide, abs=1e-6)

    def test_how_far_one_is_ahead_is_what_samples_show(self):
        model = SpeedModel(PRIORS, NAMES)
        entries = [Entry(Candidate("other", names), 1) for names in ((), ("a",), ("a", "b"))]
        model.add(Sighting(entries[1], 0.9, 10.0, 0.03, "few"))
        ahead, sds = model.believed(entries).ahead(1)
        prior = matrix(entries, entries)
        seen = prior[:, 1]
        whole = prior[1, 1] + 0.03**2 + speed_model._DRIFT**2 + speed_model._OFFSET**2
        left = prior - np.outer(seen, seen) / whole
        draws = np.random.default_rng(1).multivariate_normal(
            model.believed(entries).means, left, 200_000
        )
        gaps = draws - draws[:, [1]]
        assert ahead == pytest.approx(gaps.mean(axis=0), abs=0.005)
        assert sds == pytest.approx(gaps.std(axis=0), abs=0.005)

    def test_what_is_seen_of_one_engine_says_less_of_another(self):
        model = SpeedModel(Priors(), NAMES)
        model.add(Sighting(Entry(Candidate("transformers"), 1), 0.0, 0.0, 0.03, "few"))
        model.add(Sighting(Entry(Candidate("transformers", ("a",)), 1), 0.7, 9.0, 0.03, "few"))
        own, other = (
            model.believed([Entry(Candidate(e, n), 1) for n in ((), ("a",))]).ahead(0)[0][1]
            for e in ("transformers", "other")
        )
        assert own > 0.6
        assert 0 < other < 0.8 * own

    def test_calls_of_another_kind_have_a_zero_of_their_own(self):
        """All calls of a kind took three times as long: that says little of the systems."""
        entries = [Entry(Candidate("transformers", n), 1) for n in ((), ("a",))]
        model = SpeedModel(Priors(), NAMES)
        for at_s, (entry, speed) in enumerate(zip(entries, (0.0, 0.3), strict=True)):
            model.add(Sighting(entry, speed, at_s, 0.02, "few"))
        before = model.believed(entries).ahead(0)[0][1]
        for at_s, (entry, speed) in enumerate(zip(entries, (-1.1, -0.8), strict=True)):
            model.add(Sighting(entry, speed, 5.0 + at_s, 0.02, "many"))
        assert model.believed(entries).ahead(0)[0][1] == pytest.approx(before, abs=0.02)


def matrix(rows: list[Entry], columns: list[Entry]) -> np.ndarray:
    return np.array([[covariance(a, b) for b in columns] for a in rows])


def apart(one: Sighting, other: Sighting) -> float:
    """What two sightings have in common beside their systems: the zero, the host, their noise."""
    drift = math.exp(-abs(one.at_s - other.at_s) / speed_model._DRIFT_S)
    zero = speed_model._OFFSET**2 * (one.calls == other.calls)
    return speed_model._DRIFT**2 * drift + zero + one.noise**2 * (one is other)
