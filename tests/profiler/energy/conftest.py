"""The metered machine as fixtures."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType

import pytest
from support.metered import (
    FakeTracker,
    Machine,
    Meter,
    hardware,
)

from asr_scaling.measure import pipeline
from asr_scaling.profiler import energy as energy_module


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The clock of everything, and a codecarbon that models the machine's ``hardware``."""
    found = Machine()
    for module in (pipeline, energy_module):
        monkeypatch.setattr(module, "time", found.as_time())
    codecarbon = ModuleType("codecarbon")
    codecarbon.OfflineEmissionsTracker = partial(FakeTracker, found)
    monkeypatch.setitem(sys.modules, "codecarbon", codecarbon)
    return found


@pytest.fixture
def modelled(machine: Machine) -> tuple[Meter, Meter]:
    """codecarbon knows processor and memory here: 5 W idle and 25 W busy, 20 W always."""
    cpu, memory = Meter(machine, "cpu", 5, 25), Meter(machine, "memory", 20, 20)
    machine.hardware += [hardware(memory), hardware(cpu, _mode="cpu_load")]
    return cpu, memory
