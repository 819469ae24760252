"""Fixtures for every test below this folder; the fakes themselves are in fakes.py."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import hypothesis  # noqa: F401 (first of all: imported at the end of a run, its hook in trio would warn)
import pytest
from fakes import FakeClock

from asr_scaling import pipeline
from asr_scaling.neighbours import FOLDER_VARIABLE
from asr_scaling.noise import Counters, MachineWatch
from asr_scaling.profiler import energy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True, scope="session")
def _own_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests that run at the same time in other processes are not this test's neighbours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("node")))
        yield


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing else happens, whatever the one that runs the tests is doing."""
    still = Counters(wall_s=0.0, cores=2, busy_s=0.0, own_s=0.0, steal_s=0.0)
    monkeypatch.setattr(pipeline, "MachineWatch", partial(MachineWatch, lambda: still))


@pytest.fixture
def budget_clock(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The same clock also decides when the budgets of the timed pass and of the energy window are spent."""
    for module in (pipeline, energy):
        monkeypatch.setattr(module, "time", clock.as_time())
    return clock
