"""Shares and joules of a stretch of a load follow from the counters at its ends."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.fakes import FakeDevice, utterance
from support.loads import answered, made

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.ports import Meter
from asr_scaling.core.statistics import ratio_interval
from asr_scaling.load.looks import NO_METER, Figures, Look, Looks, use_of_machine, watched
from asr_scaling.machine.sampler import GpuReading, Reading


class ScriptedMeter:
    """Tells 10 J at each reading, or a sentence."""

    def __init__(self, told: float | str = 10.0, kind: str = "") -> None:
        self.told, self.kind, self.begun = told, kind, 0

    def begin(self) -> None:
        self.begun += 1

    def spent_j(self) -> float | str:
        return self.told

    def reservations(self, watts: float) -> tuple[Caution, ...]:
        return (caution(self.kind, watts=watts, parts="cpu"),) if self.kind else ()


def seen(count: int, joules: float | str = 10.0, gpu: float | None = None) -> list[Look]:
    """A look each second: one of two cores is busy in half of the time."""
    reading = GpuReading(share=gpu)
    return [
        Look(float(i), Reading({0: (i / 2, float(i)), 1: (0.0, float(i))}, gpu=reading), joules)
        for i in range(count)
    ]


def use(
    every: list[Look], meter: ScriptedMeter | None = None, begin_s: float = 0.0, end_s: float = 9.0
) -> tuple[Figures, tuple[Caution, ...]]:
    """Of a load with two answers in each second, to half an hour of audio each."""
    due = [i / 2 for i in range(20)]
    half_hour = (utterance(0.001, "u"),)
    driven = made([answered(d, 0.0) for d in due], due, half_hour)
    return use_of_machine(Looks("no GPU", meter, every), driven.requests, begin_s, end_s)


def value(figures: Figures, name: str) -> float:
    figure = figures[name]
    assert not isinstance(figure, str), figure
    return figure.value


def test_shares_are_of_the_stretch():
    figures, _ = use(seen(10))
    assert value(figures, "load/cpu_share") == pytest.approx(0.25)
    assert figures["load/gpu_share"] == "this GPU does not tell"
    assert value(use(seen(10, gpu=0.5))[0], "load/gpu_share") == pytest.approx(0.5)


def test_joules_go_to_all_that_was_answered_meanwhile():
    figures, cautions = use(seen(10), ScriptedMeter())
    assert value(figures, "load/power_w") == pytest.approx(10.0)
    assert value(figures, "load/energy_per_request_j") == pytest.approx(5.0)
    audio_h = 2 * 0.001 / 3600
    assert value(figures, "load/energy_per_audio_hour_j") == pytest.approx(10 / audio_h)
    assert cautions == ()
    power = figures["load/power_w"]
    assert not isinstance(power, str)
    assert power.interval == ratio_interval([10.0] * 9, [1.0] * 9)


def test_a_part_of_a_load_has_its_own_looks():
    figures, _ = use(seen(10), ScriptedMeter(), begin_s=2.0, end_s=6.0)
    assert value(figures, "load/energy_per_request_j") == pytest.approx(5.0)
    power = figures["load/power_w"]
    assert not isinstance(power, str)
    assert power.n == 4


def test_a_guess_is_labelled_and_has_no_interval():
    figures, cautions = use(seen(10), ScriptedMeter(kind="EstimatedEnergy"))
    power = figures["load/power_w"]
    assert not isinstance(power, str)
    assert power.interval is None
    assert [one.kind for one in cautions] == ["EstimatedEnergy"]


def test_why_there_are_no_joules():
    assert use(seen(10, NO_METER))[0]["load/power_w"] == NO_METER
    silent, _ = use(seen(10, "the meters failed"), ScriptedMeter())
    assert silent["load/energy_per_request_j"] == "the meters failed"
    assert "counted nothing" in str(use(seen(10, 0.0), ScriptedMeter())[0]["load/power_w"])


def test_a_load_too_short_for_two_looks():
    figures, _ = use(seen(1), ScriptedMeter())
    assert "too short" in str(figures["load/cpu_share"])


def test_looking_in_real_time():
    meter = ScriptedMeter()
    assert isinstance(meter, Meter)
    with watched(FakeDevice(), meter) as looks:
        begin_s = time.monotonic()
        time.sleep(0.05)
    assert meter.begun == 1
    assert looks.failed is None
    assert looks.every[0].at_s <= begin_s <= looks.every[-1].at_s
    assert all(look.joules == 10.0 for look in looks.every)


def test_a_reader_that_fails_is_a_reason(monkeypatch: pytest.MonkeyPatch):
    def broken(self: Any) -> Any:
        raise OSError("sensor gone")

    monkeypatch.setattr("asr_scaling.machine.sampler.Machine.read", broken)
    with watched(FakeDevice(), None) as looks:
        pass
    figures, _ = use_of_machine(looks, (), 0.0, 1.0)
    assert "sensor gone" in str(figures["load/cpu_share"])
