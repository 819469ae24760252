"""The metronome with fake probes and a fake clock, and its real probes once."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from support.fakes import FakeClock, FakeDevice

from asr_scaling.errors import DeviceError
from asr_scaling.machine import metronome
from asr_scaling.machine.metronome import EVERY, Metronome, probes_of


@pytest.fixture(autouse=True)
def _time(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metronome, "time", clock.as_time())


class Ticking:
    """Probes "a" and "b" that take as long as they are told, and remember what was asked."""

    def __init__(self, clock: FakeClock, seconds: float = 0.01) -> None:
        self.clock, self.seconds = clock, seconds
        self.asked = self.closed = 0
        self.broken = False

    def __call__(self, device: Any, stack: ExitStack) -> dict[str, Any]:
        stack.callback(self.close)
        return {"a": self.probe, "b": lambda: 2 * self.probe()}

    def probe(self) -> float:
        self.asked += 1
        if self.broken:
            raise OSError("the driver is gone")
        self.clock.sleep(self.seconds / 2)
        return self.seconds / 2

    def close(self) -> None:
        self.closed += 1


def test_a_beat_has_its_time_and_the_seconds_of_each_probe(clock: FakeClock):
    with Metronome(FakeDevice(), Ticking(clock)) as beating:
        clock.sleep(100.0 - clock.perf_counter())
        assert beating.beat() == pytest.approx(0.01)
    assert [beat.at for beat in beating.beats] == [100.0]
    assert beating.beats[0].seconds == pytest.approx({"a": 0.005, "b": 0.01})


def test_what_the_first_beats_took_is_not_kept(clock: FakeClock):
    probes = Ticking(clock)
    with Metronome(FakeDevice(), probes) as beating:
        assert probes.asked > 0
        assert beating.beats == ()


def test_a_beat_is_due_so_that_3_per_cent_of_the_time_go_into_beats(clock: FakeClock):
    with Metronome(FakeDevice(), Ticking(clock)) as beating:
        beating.beat()
        begun, spent = clock.perf_counter(), 0.0
        for _ in range(2000):
            clock.sleep(0.003)
            spent += beating.look()
        share = spent / (clock.perf_counter() - begun)
    assert 0.025 < share <= 1 / (1 + EVERY) + 1e-9
    assert spent == pytest.approx(0.01 * (len(beating.beats) - 1))


def test_a_slow_beat_is_followed_by_a_longer_pause(clock: FakeClock):
    probes = Ticking(clock, 0.1)
    with Metronome(FakeDevice(), probes) as beating:
        beating.beat()
        clock.sleep(0.1 * EVERY - 0.001)
        assert beating.look() == 0.0
        clock.sleep(0.002)
        assert beating.look() == pytest.approx(0.1)


def test_what_the_probes_hold_is_given_back(clock: FakeClock):
    probes = Ticking(clock)
    with Metronome(FakeDevice(), probes):
        assert probes.closed == 0
    assert probes.closed == 1


def test_a_probe_that_fails_ends_the_beats_and_nothing_else(clock: FakeClock):
    probes = Ticking(clock)
    with Metronome(FakeDevice(), probes) as beating:
        beating.beat()
        probes.broken = True
        beating.beat()
        assert beating.beat() == 0.0
    assert len(beating.beats) == 1
    assert beating.why_not == "its probes failed: OSError: the driver is gone"


def test_a_machine_without_memory_for_the_probes_has_no_beats():
    def none(device: Any, stack: ExitStack) -> dict[str, Any]:
        raise RuntimeError("no memory")

    with Metronome(FakeDevice(), none) as beating:
        assert beating.beat() == 0.0
    assert beating.beats == ()
    assert beating.why_not == "its probes failed: RuntimeError: no memory"


def test_one_that_is_off_says_so():
    with Metronome(FakeDevice(), None) as beating:
        assert beating.beat() == beating.look() == 0.0
    assert beating.beats == ()
    assert "pipeline.metronome=false" in beating.why_not


def test_real_probes_take_milliseconds_and_leave_the_threads_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
):
    import time

    import torch

    monkeypatch.setattr(metronome, "time", time)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with ExitStack() as stack:
            probes = probes_of(FakeDevice(), stack)
            seconds = {name: min(probe() for _ in range(3)) for name, probe in probes.items()}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    named = {"memory", "products", "dispatch"}
    assert named <= set(seconds) <= named | {"products_bfloat16"}
    assert all(0 < value < 0.5 for value in seconds.values())


class FakeGpu(FakeDevice):
    """The clock as a GPU whose memory is the host's."""

    kind = "cuda"


class TestGpu:
    """A product takes 40 µs and a copy 30 µs of the GPU's clock; the driver tells 1.5 GHz."""

    @pytest.fixture(autouse=True)
    def driver(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        import torch

        state = SimpleNamespace(mhz=1500, open=0, works=True, held=0)

        def handle(name: str) -> str:
            if not state.works:
                raise DeviceError("no driver")
            state.open += 1
            return name

        def shut() -> None:
            state.open -= 1

        module = SimpleNamespace(
            NVMLError=OSError, NVML_CLOCK_SM=1, nvmlShutdown=shut,
            nvmlDeviceGetClockInfo=lambda gpu, kind: state.mhz,
        )  # fmt: skip
        monkeypatch.setattr(metronome, "nvml", lambda: module)
        monkeypatch.setattr(metronome, "handle", handle)
        monkeypatch.setattr(metronome, "_GPU_SIDE", 4)
        monkeypatch.setattr(metronome, "_GPU_BYTES", 64)
        monkeypatch.setattr(torch, "mm", lambda a, b, out: clock.sleep(40e-6))
        monkeypatch.setattr(torch.Tensor, "copy_", lambda target, source: clock.sleep(30e-6))
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda name: state.held)
        monkeypatch.setattr(metronome, "_timed", lambda work: lambda: 0.001)
        return state

    def test_products_and_copies_are_timed_on_its_own_clock(self, clock: FakeClock):
        with Metronome(FakeGpu(clock)) as beating:
            beating.beat()
        assert beating.why_not == ""
        assert beating.beats[0].seconds == pytest.approx(
            {"gpu_products": 640e-6, "gpu_memory": 240e-6, "gpu_cycle": 1 / 1.5e9,
             "gpu_dispatch": 0.001}
        )  # fmt: skip

    def test_a_lower_clock_is_a_longer_cycle(self, clock: FakeClock, driver: SimpleNamespace):
        with Metronome(FakeGpu(clock)) as beating:
            beating.beat()
            driver.mhz = 750
            beating.beat()
            assert driver.open == 1
        assert driver.open == 0
        first, second = (beat.seconds["gpu_cycle"] for beat in beating.beats)
        assert second == pytest.approx(2 * first)

    @pytest.mark.parametrize("change", [{"works": False}, {"mhz": 0}])
    def test_a_driver_that_tells_no_clock(
        self, clock: FakeClock, driver: SimpleNamespace, change: dict[str, Any]
    ):
        vars(driver).update(change)
        with Metronome(FakeGpu(clock)) as beating:
            beating.beat()
        assert set(beating.beats[0].seconds) == {"gpu_products", "gpu_memory", "gpu_dispatch"}
        assert driver.open == 0

    def test_what_the_probes_hold_of_its_memory_is_known(
        self, clock: FakeClock, driver: SimpleNamespace
    ):
        def probes(device: Any, stack: ExitStack) -> dict[str, Any]:
            driver.held += 300
            return {"a": lambda: 0.001}

        driver.held = 5000
        with Metronome(FakeGpu(clock), probes) as beating:
            assert beating.device_bytes == 300
        with Metronome(FakeDevice(clock), probes) as beating:
            assert beating.device_bytes == 0
