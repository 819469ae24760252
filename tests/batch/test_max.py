"""batch=max: the largest batch that fits, by doubling and bisection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes import (
    FakeClock,
    FakeDevice,
    FakeMemory,
    ScriptedEngine,
    ScriptedSystem,
    altered,
    make_job,
    utterance,
)
from support.hungry import MB, Hungry, PlainDevice

from asr_scaling.batch.max import Max
from asr_scaling.core.record import Findings
from asr_scaling.core.workload import AudioBatch
from asr_scaling.errors import ConfigError, OutOfMemoryError
from asr_scaling.measure.job import run


@pytest.fixture(autouse=True, scope="module")
def nothing_to_release() -> Iterator[None]:
    """Giving memory back takes longer the more modules the test process has,
    and a search does it twice a call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asr_scaling.batch.max.release_memory", lambda: None)
        yield


class Gpu(FakeDevice):
    """Memory of its own: each utterance takes ``each`` bytes on top of ``weights``,
    and ``size`` bytes are all."""

    kind = "cuda"

    def __init__(self, clock: FakeClock, size: int, weights: int = 10, each: int = 5) -> None:
        super().__init__(clock, peak=0)
        self.size, self.weights, self.each = size, weights, each
        self.asked: list[int] = []

    def call(self, batch: AudioBatch, probe: Any) -> None:
        self.asked.append(len(batch))
        self.clock.sleep(0.1 * len(batch))
        need = self.weights + self.each * len(batch)
        if need > self.size:
            raise OutOfMemoryError("does not fit")
        self.memory.peak = need


def fit(gpu: Gpu, **options: Any) -> tuple[Any, Findings]:
    return Max(**options).fit(ScriptedSystem(gpu.call), gpu, utterance(2.0))


def test_doubling_then_bisection_to_the_last_utterance():
    gpu = Gpu(FakeClock(), size=10 + 5 * 37)
    found, findings = fit(gpu, resolution=0)
    assert gpu.asked == [1, 2, 4, 8, 16, 32, 64, 48, 40, 36, 38, 37]
    assert found.size == 37
    assert findings.tags == {"batch/limited_by": "memory"}
    assert {m.name: m.value for m in findings.metrics} == {"batch/largest": 37}
    assert [(t.batch, t.fits, t.peak_bytes) for t in findings.trials[:3]] == [
        (1, True, 15),
        (2, True, 20),
        (4, True, 30),
    ]
    assert [(t.batch, t.peak_bytes) for t in findings.trials if not t.fits] == [
        (38, None),
        (40, None),
        (48, None),
        (64, None),
    ]


@given(st.integers(1, 300), st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=30, deadline=None)
def test_what_is_found_fits_and_is_within_the_resolution_of_the_largest(
    largest: int, resolution: float
):
    found, _ = fit(Gpu(FakeClock(), size=10 + 5 * largest), resolution=resolution)
    assert found.size <= largest
    assert largest - found.size <= max(1, resolution * largest)


def test_every_failure_is_cleaned_up():
    gpu = Gpu(FakeClock(), size=40)
    fit(gpu)
    assert gpu.memory.resets == 2 * len(gpu.asked)


def test_the_limit_is_said():
    found, findings = fit(Gpu(FakeClock(), size=10**9), limit=12)
    assert found.size == 12
    assert findings.tags == {"batch/limited_by": "limit"}


def test_a_call_that_would_take_too_long_is_not_made(monkeypatch: pytest.MonkeyPatch):
    clock = FakeClock()
    monkeypatch.setattr("asr_scaling.batch.max.time", clock.as_time())
    gpu = Gpu(clock, size=10**9)
    found, findings = fit(gpu, seconds=1.0)
    assert gpu.asked == [1, 2, 4, 8]
    assert found.size == 8
    assert findings.tags == {"batch/limited_by": "time"}


def test_a_budget_of_memory_bounds_what_would_fit():
    found, findings = fit(Gpu(FakeClock(), size=10**9), memory_bytes=10 + 5 * 9, resolution=0)
    assert found.size == 9
    assert [t.peak_bytes for t in findings.trials if not t.fits] == [60, 70, 90]


def test_nothing_fits():
    with pytest.raises(OutOfMemoryError, match="Not even one utterance of 2 s"):
        fit(Gpu(FakeClock(), size=12))


class TestOwnMemory:
    """On a CPU a batch is not tried that smaller ones foretell not to fit:
    the process would be ended."""

    def fit(
        self, monkeypatch: pytest.MonkeyPatch, budget: float
    ) -> tuple[list[int], Any, Findings]:
        held, asked = [0], list[int]()
        monkeypatch.setattr("asr_scaling.batch.max.resident_bytes", lambda: held[0])

        def call(batch: AudioBatch, probe: Any) -> None:
            asked.append(len(batch))
            held[0] = 10**12 * len(batch)  # more than this process really has

        device = FakeDevice()
        assert isinstance(device.memory, FakeMemory)
        found, findings = Max(memory_bytes=budget, resolution=0).fit(
            ScriptedSystem(call), device, utterance(1.0)
        )
        return asked, found, findings

    def test_foretold_failures_are_not_tried(self, monkeypatch: pytest.MonkeyPatch):
        asked, found, findings = self.fit(monkeypatch, budget=21.5e12)
        assert asked == [1, 2, 4, 8, 16, 20, 21]
        assert found.size == 21
        untried = {
            trial.batch: (trial.fits, trial.peak_bytes)
            for trial in findings.trials
            if not trial.tried
        }
        assert untried == {32: (False, 32e12), 24: (False, 24e12), 22: (False, 22e12)}

    def test_the_second_batch_is_the_first_that_can_be_too_large(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        asked, found, _ = self.fit(monkeypatch, budget=1.5e12)
        assert asked == [1, 2]
        assert found.size == 1


def test_the_record_has_the_curve_and_the_batch_that_was_timed():
    clock = FakeClock()
    gpu = Gpu(clock, size=10 + 5 * 3)
    system = ScriptedSystem(gpu.call)
    job = make_job(clock, device=gpu, batch=Max(resolution=0))
    job = altered(job, engine=ScriptedEngine(system))
    record = run(job)
    assert record.status == "ok", record.reason
    assert {len(sample.utterances) for sample in record.samples} == {3}
    assert record.values["batch/largest"] == 3
    assert record.tags["batch/limited_by"] == "memory"
    assert [trial["batch"] for trial in record.system["memory_by_batch"]] == [1, 2, 3, 4]
    assert [trial["fits"] for trial in record.system["memory_by_batch"]] == [
        True,
        True,
        True,
        False,
    ]


class TestInAProcessOfItsOwn:
    def found(self, engine: Any, **options: Any) -> Any:
        job = make_job(device=PlainDevice(), batch=Max(resolution=0, **options))
        return run(altered(job, engine=engine, profiler={}))

    def test_what_fits_is_judged_by_all_that_it_holds(self):
        held = np.ones(500 * MB, dtype=np.uint8)  # of this process: that counts for nothing
        record = self.found(Hungry(loads=100 * MB, calls=100 * MB), memory_bytes=500.0 * MB)
        assert held.size
        assert record.status == "ok", record.reason
        assert record.values["batch/largest"] == 3  # 100 and 3 × 100 MB, and Python with numpy
        assert record.tags["batch/process"] == "a process of its own"
        peaks = {t["batch"]: t["peak_bytes"] for t in record.system["memory_by_batch"] if t["fits"]}
        assert peaks[2] - peaks[1] == pytest.approx(100 * MB, abs=5 * MB)
        assert 200 * MB < peaks[1] < 330 * MB

    def test_not_even_one_fits(self):
        record = self.found(Hungry(loads=100 * MB), memory_bytes=100.0 * MB)
        assert record.status == "out_of_memory"
        assert "Not even one utterance" in str(record.reason)

    def test_the_kernel_ends_it(self):
        record = self.found(Hungry(fails="kill"))
        assert record.status == "out_of_memory"
        assert "ended by the kernel" in str(record.reason)

    def test_what_can_not_be_handed_over_is_tried_here_and_that_is_said(self):
        system = ScriptedSystem(lambda batch, probe: None)
        record = self.found(ScriptedEngine(system), limit=4)
        assert record.values["batch/largest"] == 4
        assert record.tags["batch/process"].startswith("the measuring process: This system can't")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"limit": 0}, "batch.limit"),
        ({"memory_bytes": -1.0}, "batch.memory_bytes"),
        ({"seconds": 0}, "batch.seconds"),
        ({"resolution": 1.0}, "batch.resolution"),
    ],
)
def test_options_that_cannot_work(options: dict[str, Any], word: str):
    with pytest.raises(ConfigError, match=word):
        Max(**options)
