"""Memory of a process that has only the system in it: exact parts, and why there are none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import small_whisper
from support.fakes import FakeDevice, ScriptedSystem, make_session, utterances
from support.hungry import MB, Hungry, PlainDevice

from asr_scaling.core.memory_parts import MEMORY_PARTS
from asr_scaling.core.ports import Session
from asr_scaling.core.record import Findings
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.engine.whisper_cpp import WhisperCpp
from asr_scaling.errors import ConfigError, FreshProcessError, OutOfMemoryError
from asr_scaling.machine.fresh_process import Read, in_fresh_process, prepare
from asr_scaling.profiler._serving_process import Held
from asr_scaling.profiler.memory import Memory

PEAK = "memory/peak_rss_bytes"
PARTS = tuple(f"memory/{step}_rss_bytes" for step in MEMORY_PARTS)
sizes = st.integers(0, 10**12)


def values(findings: Findings) -> dict[str, float]:
    return {metric.name: metric.value for metric in findings.metrics}


def session(engine: Any = None, size: int = 1, **changes: Any) -> Session:
    system = ScriptedSystem(lambda batch, probe: None, weights_bytes=1000)
    changes = {"device": PlainDevice(), "engine": engine or Hungry()} | changes
    return make_session(system, utterances([1.0, 5.0]), size, **changes)


class Process:
    """In place of the process: notes what it is asked, and holds what it is told."""

    def __init__(self, answer: Held | Exception) -> None:
        self.answer, self.asked = answer, list[tuple[Any, float | None]]()

    def __call__(self, function: Any, arguments: Sequence[Any], limit_s: float | None) -> Held:
        self.asked.append((arguments, limit_s))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


HELD = Held(100, 190, 150, 260, 170, 40, None, "by a test")


class TestParts:
    def test_each_is_one_step(self):
        steps = {"libraries": 100, "weights": 50, "kept": 20, "activations": 90, "loading": 0}
        assert HELD.parts == steps
        assert HELD.peak == sum(steps.values()) == 260

    def test_loading_may_need_more_than_calls(self):
        held = replace(HELD, loading=300)
        assert held.peak == 300
        assert held.parts["loading"] == 40

    def test_what_calls_give_back_of_what_loading_left_is_theirs(self):
        held = replace(HELD, called=120)
        assert held.parts == {
            "libraries": 100,
            "weights": 20,
            "kept": 0,
            "activations": 140,
            "loading": 0,
        }

    @given(st.tuples(sizes, sizes, sizes, sizes, sizes))
    def test_they_add_up_and_none_is_negative(self, held: tuple[int, ...]):
        parts = Held(*held).parts
        assert sum(parts.values()) == Held(*held).peak == max(held)
        assert min(parts.values()) >= 0


class TestMeasured:
    def test_the_whole_and_its_parts(self):
        process = Process(HELD)
        findings = Memory(process=process).measure(found := session())
        measured = values(findings)
        assert measured[PEAK] == 260 == sum(measured[name] for name in PARTS)
        assert measured["memory/mapped_rss_bytes"] == 40
        assert measured["memory/weights_bytes"] == 1000
        assert findings.tags["memory/method"] == "by a test"
        assert findings.tags["memory/scope"].startswith("the whole process")
        ((system, batch), _) = process.asked[0]
        assert system == (found.model, found.engine, found.device)
        assert [u.id for u in batch.utterances] == ["u1"]  # the one that needs most
        names = {"memory/peak_device_bytes", "memory/activations_bytes"}
        assert set(findings.unavailable) == names

    def test_an_accelerators_own(self):
        device, process = FakeDevice(peak=5000), Process(replace(HELD, on_device=7000))
        found = session(device=device, device_peak_bytes=5000)
        measured = values(Memory(process=process).measure(found))
        assert measured["memory/peak_device_bytes"] == 5000
        assert measured["memory/activations_bytes"] == 4000
        assert measured["memory/process_device_bytes"] == 7000
        assert measured[PEAK] == 260

    def test_why_the_accelerator_is_not_known(self):
        process = Process(replace(HELD, on_device="the driver is silent"))
        findings = Memory(process=process).measure(session(device_peak_bytes=1))
        assert findings.unavailable == {"memory/process_device_bytes": "the driver is silent"}

    def test_pages_of_files_are_not_told_apart(self):
        findings = Memory(process=Process(replace(HELD, files=None))).measure(session())
        assert "pages of files" in findings.unavailable["memory/mapped_rss_bytes"]

    @pytest.mark.parametrize("error", [FreshProcessError("it failed"), OutOfMemoryError("full")])
    def test_a_process_that_fails_costs_its_own_figures_only(self, error: Exception):
        findings = Memory(process=Process(error)).measure(session(device_peak_bytes=5000))
        assert {findings.unavailable[name] for name in (PEAK, *PARTS)} == {str(error)}
        assert values(findings)["memory/peak_device_bytes"] == 5000
        assert PEAK not in values(findings)
        assert "memory/scope" not in findings.tags

    def test_what_the_system_hides_is_unavailable(self):
        found = session(device_peak_bytes=5000)
        facts = replace(found.system.facts, unobservable={"memory/peak_device_bytes": "hidden"})
        found.system.facts = facts  # type: ignore[misc]
        findings = Memory(process=Process(HELD)).measure(found)
        assert findings.unavailable["memory/peak_device_bytes"] == "hidden"
        assert "memory/peak_device_bytes" not in values(findings)

    @pytest.mark.parametrize(("seconds", "limit_s"), [(None, 60.0), (7.0, 7.0)])
    def test_its_time(self, seconds: float | None, limit_s: float):
        process = Process(HELD)
        Memory(seconds, process=process).measure(session())
        assert process.asked[0][1] == limit_s

    def test_a_time_that_cannot_work(self):
        with pytest.raises(ConfigError, match=r"profiler\.memory\.seconds must be more than 0"):
            Memory(seconds=0)


class TestRealProcess:
    """Steps of known size, in a process of its own."""

    def held(self, size: int = 1, **engine: int) -> dict[str, float]:
        findings = Memory().measure(session(Hungry(**engine), size))
        assert PEAK not in findings.unavailable, findings.unavailable
        return values(findings)

    def test_every_step_is_found(self):
        nothing = self.held()
        held = self.held(2, loads=100 * MB, loading=30 * MB, keeps=50 * MB, calls=70 * MB)
        grown = {name: held[name] - nothing[name] for name in (PEAK, *PARTS)}
        expected = {"libraries": 0, "weights": 100, "kept": 50, "activations": 140, "loading": 0}
        for step, size in expected.items():
            assert grown[f"memory/{step}_rss_bytes"] == pytest.approx(size * MB, abs=5 * MB)
        assert grown[PEAK] == pytest.approx(290 * MB, abs=5 * MB)
        assert held[PEAK] == sum(held[name] for name in PARTS)
        assert 15 * MB < nothing[PEAK] < 120 * MB  # Python and numpy, no torch

    def test_loading_that_needs_most(self):
        held = self.held(loading=300 * MB, calls=50 * MB)
        assert held["memory/loading_rss_bytes"] == pytest.approx(250 * MB, abs=5 * MB)

    @pytest.mark.parametrize(
        ("fails", "words"),
        [
            ("kill", "ended by the kernel"),
            ("engine", "This call can't be made: leave it out."),
            ("memory", "does not fit"),
            ("bug", "ValueError: a shape is wrong"),
        ],
    )
    def test_a_call_that_fails_there(self, fails: str, words: str):
        findings = Memory().measure(session(Hungry(fails=fails)))
        assert words in findings.unavailable[PEAK]
        assert values(findings) == {"memory/weights_bytes": 1000}

    def test_a_system_that_can_not_be_handed_over(self):
        findings = Memory().measure(session(engine=lambda: None))
        assert "can't be handed to another process" in findings.unavailable[PEAK]


def modules(read: Read) -> set[str]:
    """What is imported in a process that is about to load a system."""
    prepare(*read())
    return set(sys.modules)


class TestOrder:
    def test_the_figure_is_the_same_after_a_larger_system(self):
        def held(**engine: int) -> float:
            return values(Memory().measure(session(Hungry(**engine))))[PEAK]

        small = {"loads": 20 * MB, "calls": 10 * MB}
        alone = held(**small)
        left = np.ones(300 * MB, dtype=np.uint8)  # as a larger system would leave in this process
        large = held(loads=200 * MB, calls=300 * MB)
        assert large - alone == pytest.approx(470 * MB, abs=8 * MB)
        assert held(**small) == pytest.approx(alone, abs=5 * MB)
        assert left.size == 300 * MB


@pytest.mark.parametrize("engine", [Fake(), WhisperCpp()], ids=["fake", "whisper_cpp"])
def test_an_engine_without_torch_is_not_made_to_import_it(engine: Any):
    pytest.importorskip("_pywhispercpp")
    found = in_fresh_process(modules, ((small_whisper.whisper(), engine, Cpu(threads=1)),), 120)
    assert "hydra" in found
    assert not found & {"torch", "transformers", "mlflow", "pandas", "codecarbon", "datasets"}
