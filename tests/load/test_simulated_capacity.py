"""Searches on servers of known capacity: the interval of 95 % holds the truth in 95 %."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom
from support.known_servers import all_known

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("simulated_capacity")
    sys.path.remove(str(BENCHMARKS))


def test_forty_intervals(bench):
    known = next(one for one in all_known() if one.server.name == "lognormal 0.4")
    rows = [bench.searched(known, seed) for seed in range(40)]
    assert None not in [row.holds for row in rows]
    held = sum(row.holds for row in rows)
    assert held >= binom.ppf(0.001, 40, 0.93)
    assert np.median([row.precision for row in rows]) < 0.1
    assert all(row.seconds <= bench.SECONDS for row in rows)
    assert all(row.fewest >= 1 for row in rows)


@pytest.mark.slow
def test_a_thousand_intervals(bench):
    rows = bench.mixed(1000)
    stated = [row.holds for row in rows if row.holds is not None]
    assert len(stated) >= 970
    assert 0.93 <= np.mean(stated) <= 0.97
    assert all(row.fewest >= 1 for row in rows)
    assert abs(np.nanmedian([row.error for row in rows])) < 0.01
