"""The sampling thread with scripted readings, a scripted NVML, and what is made of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from support.fakes import FakeDevice, ScriptedSystem, make_session, utterances

from asr_scaling.core.record import Findings
from asr_scaling.errors import OutOfMemoryError
from asr_scaling.machine import sampler
from asr_scaling.machine.environment import allowed_cores
from asr_scaling.machine.sampler import GpuReading, Machine, Reading, Sampler
from asr_scaling.profiler import _sampler
from asr_scaling.profiler._sampler import summarise
from asr_scaling.profiler.utilisation import Utilisation


def values(findings: Findings) -> dict[str, float]:
    return {metric.name: metric.value for metric in findings.metrics}


class Script:
    """Readings one after the other, the last again and again; an exception is raised."""

    def __init__(self, *readings: Reading | Exception) -> None:
        self.readings, self.calls = readings, 0

    def __call__(self) -> Reading:
        found = self.readings[min(self.calls, len(self.readings) - 1)]
        self.calls += 1
        if isinstance(found, Exception):
            raise found
        return found


def cores(busy: float, total: float) -> dict[int, tuple[float, float]]:
    return dict.fromkeys(allowed_cores(), (busy, total))


class TestSampler:
    def test_reads_before_during_and_after(self):
        script, gate = Script(Reading()), threading.Event()
        with Sampler(script, hz=1000) as sampler:
            assert script.calls >= 1
            gate.wait(0.1)
        assert sampler.error is None
        assert len(sampler.readings) == script.calls > 3
        assert not [
            thread for thread in threading.enumerate() if thread.name == "asr_scaling sampler"
        ]

    def test_reads_no_more_often_than_told(self):
        script, gate = Script(Reading()), threading.Event()
        with Sampler(script, hz=10):
            gate.wait(0.25)
        assert script.calls <= 2 + 3

    def test_knows_its_own_cost(self):
        """A reader that computes for nearly all of its time costs nearly all of it;
        one that waits costs nothing."""
        import time

        def busy() -> Reading:
            until = time.thread_time() + 0.05
            while time.thread_time() < until:
                pass
            return Reading()

        def idle() -> Reading:
            time.sleep(0.02)
            return Reading()

        shares = []
        for read in (busy, idle):
            with Sampler(read, hz=1000) as sampler:
                time.sleep(0.1)
            shares.append(sampler.share)
        assert 0.05 < shares[0] <= 1.01  # a busy machine may keep the thread waiting
        assert shares[1] < 0.05

    @pytest.mark.parametrize("good", [0, 1, 3])
    def test_a_failing_reader_is_a_reason_and_no_exception(self, good: int):
        script = Script(*[Reading()] * good, OSError("sensor gone"))
        with Sampler(script, hz=1000) as sampler:
            sampler._thread.join(5)
        assert sampler.error is not None
        assert "OSError: sensor gone" in sampler.error
        assert sampler.share is not None

    def test_ends_when_a_call_fails(self):
        with pytest.raises(OutOfMemoryError), Sampler(Script(Reading()), hz=5):
            raise OutOfMemoryError("told to")
        assert not [
            thread for thread in threading.enumerate() if thread.name == "asr_scaling sampler"
        ]

    def test_ends_when_waiting_for_it_is_interrupted(self):
        def read() -> Reading:
            threading.Event().wait(0.05)
            return Reading()

        sampler = Sampler(read, hz=5)

        def interrupt() -> None:
            raise KeyboardInterrupt

        sampler._begun.wait = interrupt
        with pytest.raises(KeyboardInterrupt):
            sampler.__enter__()
        assert not sampler._thread.is_alive()


class TestSummary:
    def test_shares_are_differences_of_the_counters(self):
        found = values(
            summarise(
                [
                    Reading(cores(10.0, 100.0)),
                    Reading(cores(10.5, 101.0)),
                    Reading(cores(11.5, 102.0)),
                ],
                "",
            )
        )
        assert found["utilisation/cpu_share"] == pytest.approx(0.75)
        for core in allowed_cores():
            assert found[f"utilisation/cpu{core}_share"] == pytest.approx(0.75)

    def test_the_mean_is_over_cores(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(_sampler, "allowed_cores", lambda: [3, 7])
        found = values(
            summarise([Reading({3: (0, 0), 7: (0, 0)}), Reading({3: (1, 2), 7: (2, 2)})], "")
        )
        assert found["utilisation/cpu3_share"] == 0.5
        assert found["utilisation/cpu7_share"] == 1.0
        assert found["utilisation/cpu_share"] == 0.75

    def test_counters_that_stand_still_are_no_zero(self):
        found = summarise([Reading(cores(1.0, 2.0)), Reading(cores(1.0, 2.0))], "")
        assert "utilisation/cpu_share" not in values(found)
        assert "profiler.utilisation.seconds" in found.unavailable["utilisation/cpu_share"]

    def test_the_first_reading_is_only_the_base(self):
        gpus = [
            GpuReading(1.0, 9e9, 99.0, 900.0),
            GpuReading(0.5, 1e9, 50.0, 100.0),
            GpuReading(0.7, 2e9, 60.0, 300.0),
        ]
        found = values(
            summarise(
                [Reading(cores(i, 2 * i), 1e9 * i, 30.0 - i, gpu) for i, gpu in enumerate(gpus)], ""
            )
        )
        assert found["utilisation/cpu_clock_hz"] == pytest.approx(1.5e9)
        assert found["utilisation/temperature_c"] == 29.0
        assert found["utilisation/gpu_share"] == pytest.approx(0.6)
        assert found["utilisation/gpu_clock_hz"] == pytest.approx(1.5e9)
        assert found["utilisation/gpu_temperature_c"] == 60.0
        assert found["utilisation/gpu_power_w"] == pytest.approx(200.0)

    def test_what_the_machine_does_not_tell_is_unavailable(self):
        found = summarise(
            [Reading(cores(0, 0)), Reading(cores(1, 2), gpu=GpuReading(share=0.5))], "no GPU"
        )
        assert found.unavailable["utilisation/temperature_c"] == "this machine does not tell"
        assert found.unavailable["utilisation/gpu_power_w"] == "this GPU does not tell"
        assert (
            summarise([Reading(), Reading()], "no GPU").unavailable["utilisation/gpu_share"]
            == "no GPU"
        )

    def test_throttling_is_a_caution(self):
        slow, well = (
            Reading(cores(1, 2), gpu=GpuReading(slowed=names))
            for names in (("heat", "power cap"), ())
        )
        (caution,) = summarise([slow, slow, well, slow], "").cautions
        assert caution.kind == "Throttled"
        assert "heat in 2 of 3 readings of the GPU, power cap in 2 of 3" in caution.message
        assert summarise([slow, well], "").cautions == ()


class NvmlError(Exception):
    pass


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """NVML of one GPU, "GPU-u-1", and a torch that runs on it;
    ``missing``: functions this GPU does not support."""
    state = SimpleNamespace(missing=set(), uuids={"GPU-u-1"}, open=0, reasons=0, error=None)

    def function(name: str, value: Callable[[], Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if name in state.missing:
                raise NvmlError("Not Supported")
            return value()

        return call

    def init() -> None:
        if state.error is not None:
            raise state.error
        state.open += 1

    def shutdown() -> None:
        state.open -= 1

    def by_uuid(uuid: str) -> str:
        if uuid not in state.uuids:
            raise NvmlError("Not Found")
        return uuid

    fake = ModuleType("pynvml")
    answers: dict[str, Callable[[], Any]] = {
        "nvmlDeviceGetUtilizationRates": lambda: SimpleNamespace(gpu=80, memory=30),
        "nvmlDeviceGetClockInfo": lambda: 1980,
        "nvmlDeviceGetTemperature": lambda: 61,
        "nvmlDeviceGetPowerUsage": lambda: 350_500,
        "nvmlDeviceGetCurrentClocksEventReasons": lambda: state.reasons,
        "nvmlDeviceGetCurrentClocksThrottleReasons": lambda: state.reasons,
    }
    parts: dict[str, Any] = {name: function(name, value) for name, value in answers.items()}
    parts |= {
        "NVMLError": NvmlError,
        "NVML_CLOCK_SM": 1,
        "NVML_TEMPERATURE_GPU": 0,
        "nvmlInit": init,
    }
    parts |= {"nvmlShutdown": shutdown, "nvmlDeviceGetHandleByUUID": by_uuid}
    for name, part in parts.items():
        setattr(fake, name, part)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda name: SimpleNamespace(uuid="u-1")
    )
    return state


def gpu_device() -> FakeDevice:
    device = FakeDevice()
    device.kind, device.torch_name = "cuda", "cuda:0"
    return device


class TestNvml:
    def read(self) -> GpuReading:
        machine = Machine(gpu_device())
        found = machine.read().gpu
        machine.close()
        machine.close()
        assert found is not None
        return found

    def test_in_si_units(self, nvml: SimpleNamespace):
        assert self.read() == GpuReading(0.8, 1.98e9, 61, 350.5)
        assert nvml.open == 0

    @pytest.mark.parametrize(
        ("bits", "names"),
        [
            (0x01 | 0x02 | 0x10, ()),
            (0x04, ("power cap",)),
            (0x08 | 0x40, ("hardware slowdown", "heat, by hardware")),
        ],
    )
    def test_idle_and_a_users_clocks_are_no_throttling(
        self, nvml: SimpleNamespace, bits: int, names: tuple[str, ...]
    ):
        nvml.reasons = bits
        assert self.read().slowed == names

    def test_the_reasons_old_name(self, nvml: SimpleNamespace):
        nvml.missing, nvml.reasons = {"nvmlDeviceGetCurrentClocksEventReasons"}, 0x20
        assert self.read().slowed == ("heat",)

    def test_what_a_gpu_does_not_support_is_none(self, nvml: SimpleNamespace):
        nvml.missing = {
            name for name in dir(sys.modules["pynvml"]) if name.startswith("nvmlDeviceGet")
        }
        assert self.read() == GpuReading()

    def test_a_slice_of_a_gpu(self, nvml: SimpleNamespace):
        nvml.uuids = {"MIG-u-1"}
        assert self.read().share == 0.8

    @pytest.mark.parametrize("failure", ["driver", "uuid", "package"])
    def test_a_driver_that_does_not_answer_is_a_reason(
        self, nvml: SimpleNamespace, failure: str, monkeypatch: pytest.MonkeyPatch
    ):
        if failure == "driver":
            nvml.error = NvmlError("Driver Not Loaded")
        elif failure == "uuid":
            nvml.uuids = set()
        else:
            monkeypatch.setitem(sys.modules, "pynvml", None)
        machine = Machine(gpu_device())
        assert machine.read().gpu is None
        assert {"driver": "Driver Not Loaded", "uuid": "Not Found", "package": "nvidia-ml-py"}[
            failure
        ] in machine.no_gpu
        machine.close()
        assert nvml.open == 0

    def test_throttling_reaches_the_findings(self, nvml: SimpleNamespace):
        nvml.reasons = 0x40
        system = ScriptedSystem(lambda b, p: None)
        found = Utilisation(0.01).measure(
            make_session(system, utterances([1.0]), device=gpu_device())
        )
        assert values(found)["utilisation/gpu_share"] == 0.8
        assert [caution.kind for caution in found.cautions] == ["Throttled"]
        assert nvml.open == 0

    def test_the_driver_is_given_back_when_a_call_fails(self, nvml: SimpleNamespace):
        def script(batch: Any, probe: Any) -> None:
            raise OutOfMemoryError("told to")

        with pytest.raises(OutOfMemoryError):
            Utilisation(0.01).measure(
                make_session(ScriptedSystem(script), utterances([1.0]), device=gpu_device())
            )
        assert nvml.open == 0


def test_temperature_is_the_processors_own(monkeypatch: pytest.MonkeyPatch):
    sensor = SimpleNamespace
    chips = {
        "nvme": [sensor(current=90.0)],
        "k10temp": [sensor(current=50.0), sensor(current=61.5)],
    }
    monkeypatch.setattr(sampler.psutil, "sensors_temperatures", lambda: chips, raising=False)
    assert Machine(FakeDevice()).read().temperature_c == 61.5
    del chips["k10temp"]
    assert Machine(FakeDevice()).read().temperature_c is None
