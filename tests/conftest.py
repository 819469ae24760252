"""Fixtures for every test below this folder; the fakes themselves are in fakes.py."""

from __future__ import annotations

import pytest
from fakes import FakeClock

from asr_scaling import pipeline
from asr_scaling.profiler import energy


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def budget_clock(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The same clock also decides when the budgets of the timed pass and of the energy window are spent."""
    for module in (pipeline, energy):
        monkeypatch.setattr(module, "time", clock.as_time())
    return clock
