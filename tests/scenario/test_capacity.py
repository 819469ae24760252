"""scenario=capacity: what is found, every way to find nothing, and that each is said."""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.fakes import FakeClock
from support.services import SleepingService, VirtualFirings, VirtualService, session_of

from asr_scaling.core.ports import Reply
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Sample
from asr_scaling.errors import ConfigError
from asr_scaling.load.drive import drive
from asr_scaling.load.request_file import NAME
from asr_scaling.scenario import _loads
from asr_scaling.scenario.capacity import Capacity

BOUND = "p90<0.1s"
"""Needs 44 requests a load."""


def value(found: Findings, name: str) -> float:
    return next(metric.value for metric in found.metrics if metric.name == name)


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"arrivals": "closed"}, "scenario.arrivals must be one of poisson, constant"),
            ({"bound": "fast"}, "scenario.bound must be"),
            ({"minutes": 0.0}, "scenario.minutes must be above 0"),
            ({"precision": 1.0}, "scenario.precision must be between 0 and 1"),
            ({"start_rate": 0.0}, "scenario.start_rate must be above 0"),
            ({"timeout_s": math.inf}, "scenario.timeout_s must be above 0"),
            ({"late_s": 0.0}, "scenario.late_s must be above 0"),
            ({"normaliser": "mine"}, "scenario.normaliser must be"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options: dict[str, Any], said: str):
        with pytest.raises(ConfigError) as error:
            Capacity(**options)
        assert said in str(error.value)


class TestFound:
    def test_the_rate_that_a_service_holds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """One worker, calls of 0.1 s, Poisson arrivals: 9.0 a second keep p99 within 2 s.

        At a utilisation of 0.9 the wait decays by exp(-0.215) in each call's time, so that 1 % are
        longer than 19 of them (Gross et al., Fundamentals of Queueing Theory, section 5.1).
        """
        clock = FakeClock()
        service = VirtualService(clock, lambda number: 0.1)
        virtual = {"generator": lambda: VirtualFirings(clock), "clock": clock.perf_counter}
        monkeypatch.setattr(_loads, "drive", partial(drive, **virtual))
        known, _ = session_of(tmp_path, service)
        found = Capacity(minutes=30, start_rate=3.0, clock=clock.perf_counter).measure(known)
        rate = next(metric for metric in found.metrics if metric.name == "capacity/rate_per_s")
        assert 8.3 < rate.value < 9.5
        assert rate.interval is not None
        assert rate.interval.low <= 9.0 <= rate.interval.high
        assert rate.interval.half(rate.value) <= 0.1 * rate.value
        assert value(found, "capacity/rtfx") == pytest.approx(2 * rate.value)
        assert value(found, "capacity/loads") == len(found.loads)
        assert found.loads[0].offered_per_s == 3.0
        assert {load.bound for load in found.loads} == {"p99<2s"}
        assert "held" in {load.verdict for load in found.loads}
        assert found.tags["capacity/bound"] == "p99<2s"
        assert found.tags["capacity/ended"] == "precision"
        assert found.artifacts == (NAME,)
        assert service.closed == 1

    @pytest.mark.slow
    def test_a_load_is_long_against_the_bound(self, tmp_path: Path):
        """At 200 a second 44 requests are over before a backlog is as old as the bound."""
        known, _ = session_of(tmp_path, SleepingService(0.0))
        found = Capacity(BOUND, minutes=0.05, start_rate=200.0, late_s=1.0).measure(known)
        assert found.loads[0].requests == 400

    @pytest.mark.slow
    def test_it_begins_where_one_worker_is_busy_four_fifths_of_the_time(self, tmp_path: Path):
        known, _ = session_of(tmp_path, SleepingService(0.0))
        known.samples = (
            Sample(("a", "b"), 2.0, 2.0, 0.04, {}),
            Sample(("c",), 1.0, 1.0, 0.04, {}),
        )
        found = Capacity(BOUND, minutes=0.06, late_s=1.0).measure(known)
        assert found.loads[0].offered_per_s == pytest.approx(0.8 / 0.03)

    @pytest.mark.slow
    def test_two_loads_are_never_of_the_same_requests(self, tmp_path: Path):
        known, _ = session_of(tmp_path, SleepingService(0.01))
        found = Capacity(BOUND, minutes=0.3, precision=0.01, start_rate=50.0, late_s=1.0).measure(
            known
        )
        spans = [load.seconds * (load.offered_per_s or 1.0) for load in found.loads]
        assert len(spans) > 1
        assert len({round(span, 6) for span in spans}) == len(spans)


class TestNothingFound:
    def measured(self, tmp_path: Path, service: Any, bound: str = BOUND, **more: Any) -> Findings:
        known, _ = session_of(tmp_path, service)
        options: dict[str, Any] = {"minutes": 0.05, "start_rate": 100.0, "late_s": 1.0}
        found = Capacity(bound, **(options | more)).measure(known)
        assert "capacity/rate_per_s" in found.unavailable
        assert "capacity/rtfx" in found.unavailable
        assert value(found, "capacity/loads") == len(found.loads)
        assert service.closed == 1
        return found

    @pytest.mark.slow
    def test_a_service_that_fails_always(self, tmp_path: Path):
        def answer(number: int, utterance: Any) -> Reply:
            return Reply("failed", time.monotonic(), reason="no worker")

        found = self.measured(tmp_path, SleepingService(0.0, answer=answer))
        assert found.unavailable["capacity/rate_per_s"] == "the service answered nothing"
        assert len(found.loads) == 1
        assert "RequestsFailed" in [caution.kind for caution in found.loads[0].cautions]

    @pytest.mark.slow
    def test_a_service_that_never_answers(self, tmp_path: Path):
        service = SleepingService(0.0, answer=lambda n, u: None)
        found = self.measured(tmp_path, service, timeout_s=0.3)
        assert "were never answered" in found.unavailable["capacity/rate_per_s"]
        assert len(found.loads) == 1
        assert found.loads[0].values["load/timed_out_share"] == 1.0

    def test_a_service_that_answers_garbage(self, tmp_path: Path):
        service = SleepingService(0.0, answer=lambda n, u: "zzz")
        found = self.measured(tmp_path, service, "wer<=10")
        assert {load.verdict for load in found.loads} <= {"broken", "overloaded"}
        assert "broken" in {load.verdict for load in found.loads}

    @pytest.mark.slow
    def test_a_generator_that_is_always_late(self, tmp_path: Path):
        found = self.measured(tmp_path, SleepingService(0.0), late_s=1e-9)
        assert {load.verdict for load in found.loads} == {"withheld"}
        assert "real-time" in found.unavailable["capacity/rate_per_s"]

    def test_no_time_for_a_single_load(self, tmp_path: Path):
        clock = FakeClock()
        found = self.measured(
            tmp_path, SleepingService(0.0), start_rate=0.01, clock=clock.perf_counter
        )
        assert found.loads == ()
        assert "are left" in found.unavailable["capacity/rate_per_s"]
        assert found.artifacts == ()
