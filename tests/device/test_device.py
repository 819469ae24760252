"""Devices: options in force, the clock, and what is said when the device is not there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from asr_scaling.device import _host
from asr_scaling.device.cpu import Cpu
from asr_scaling.device.cuda import Cuda
from asr_scaling.errors import ConfigError, DeviceError

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


class FakeCuda:
    """torch.cuda of a machine with two GPUs,
    one call of which is one millisecond later than the last."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.ms = 0.0
        cuda = self

        class Event:
            def __init__(self, enable_timing: bool = False) -> None:
                assert enable_timing, "an event without timing can't be read"

            def record(self, stream: Any) -> None:
                cuda.ms += 1.0
                self.at = cuda.ms
                cuda.log.append(("record", stream))

            def synchronize(self) -> None:
                cuda.log.append(("wait", self.at))

            def elapsed_time(self, end: Event) -> float:
                return end.at - self.at

        self.Event = Event

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 2

    def set_device(self, index: int) -> None:
        self.log.append(("set_device", index))

    def get_device_properties(self, index: int) -> Any:
        return SimpleNamespace(
            name=f"GPU {index}", uuid="u-1", total_memory=80 * 2**30, major=9, minor=0
        )

    def current_stream(self, index: int) -> str:
        return f"stream of {index}"

    def empty_cache(self) -> None:
        self.log.append("empty_cache")

    def reset_peak_memory_stats(self, index: int) -> None:
        self.log.append(("reset", index))

    def synchronize(self, index: int) -> None:
        self.log.append(("synchronize", index))

    def max_memory_allocated(self, index: int) -> int:
        self.log.append(("peak", index))
        return 1234


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCuda]:
    fake = FakeCuda()
    monkeypatch.setattr(torch, "cuda", fake)
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield fake
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.fixture
def restored() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    if CORES:
        os.sched_setaffinity(0, CORES)


class TestCuda:
    def test_setup_says_which_gpu(self, gpu: FakeCuda):
        found = Cuda(index=1).setup()
        assert gpu.log == [("set_device", 1)]
        assert found["gpu"] == "GPU 1"
        assert found["uuid"] == "u-1"
        assert found["memory_bytes"] == 80 * 2**30
        assert found["capability"] == "9.0"
        assert found["tf32"] is False

    @pytest.mark.parametrize("tf32", [True, False])
    def test_tf32_is_set_either_way(self, gpu: FakeCuda, tf32: bool):
        Cuda(tf32=not tf32).setup()
        assert Cuda(tf32=tf32).setup()["tf32"] is tf32
        assert torch.backends.cuda.matmul.allow_tf32 is tf32
        assert torch.backends.cudnn.allow_tf32 is tf32

    def test_marks_are_events_on_its_own_stream_and_wait_for_nothing(self, gpu: FakeCuda):
        device = Cuda(index=1)
        for _ in range(3):
            device.mark()
        assert gpu.log == [("record", "stream of 1")] * 3

    def test_seconds_waits_for_the_last_mark_and_turns_milliseconds_into_seconds(
        self, gpu: FakeCuda
    ):
        device = Cuda()
        marks = [device.mark() for _ in range(3)]
        gpu.log.clear()
        assert device.seconds(marks) == [0.0, 0.001, 0.002]
        assert gpu.log == [("wait", 3.0)]

    def test_memory_waits_before_it_reads(self, gpu: FakeCuda):
        memory = Cuda(index=1).memory
        memory.reset()
        assert memory.peak_bytes() == 1234
        assert gpu.log == ["empty_cache", ("reset", 1), ("synchronize", 1), ("peak", 1)]

    @pytest.mark.usefixtures("restored")
    def test_nothing_is_left_of_a_point_on_the_processor(self, gpu: FakeCuda):
        Cpu(threads=1, pinned=True).setup()
        Cuda().setup()
        assert torch.get_num_threads() == (len(CORES) or os.cpu_count())
        assert not CORES or os.sched_getaffinity(0) == set(CORES)

    def test_no_gpu(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(DeviceError, match="use device=cpu"):
            Cuda().setup()

    def test_no_such_gpu(self, gpu: FakeCuda):
        with pytest.raises(DeviceError, match=r"device\.index=2 but this process sees 2"):
            Cuda(index=2).setup()
        assert gpu.log == []

    def test_without_an_index_it_is_the_first_that_is_visible(self, gpu: FakeCuda):
        found = Cuda().setup()
        assert gpu.log == [("set_device", 0)]
        assert (found["gpu"], found["index"], found["visible"]) == ("GPU 0", 0, 2)
        assert Cuda().torch_name == "cuda:0"

    def test_index(self):
        with pytest.raises(ConfigError, match=r"device\.index"):
            Cuda(index=-1)
        assert Cuda(index=3).torch_name == "cuda:3"


@pytest.mark.usefixtures("restored")
class TestCpu:
    @pytest.mark.parametrize("threads", [0, -1])
    def test_threads_are_at_least_one(self, threads: int):
        with pytest.raises(ConfigError, match=r"device\.threads"):
            Cpu(threads=threads)

    def test_threads_are_set_and_set_back(self):
        assert Cpu(threads=1).setup()["threads"] == 1
        assert torch.get_num_threads() == 1
        assert Cpu().setup()["threads"] == (len(CORES) or os.cpu_count())

    @pytest.mark.skipif(not CORES, reason="this operating system has no affinity")
    def test_pinning_is_set_and_set_back(self):
        assert Cpu(threads=1, pinned=True).setup()["pinned"] is True
        assert os.sched_getaffinity(0) == {CORES[0]}
        Cpu(threads=1).setup()
        assert os.sched_getaffinity(0) == set(CORES)

    @pytest.mark.skipif(not CORES, reason="this operating system has no affinity")
    def test_more_pinned_threads_than_cores(self):
        with pytest.raises(DeviceError, match=f"this process may use {len(CORES)}"):
            Cpu(threads=len(CORES) + 1, pinned=True).setup()

    def test_pinning_where_it_is_not_possible(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(_host, "_ALL_CORES", [])
        with pytest.raises(DeviceError, match="operating system"):
            Cpu(threads=1, pinned=True).setup()

    def test_the_clock_is_monotonic_nanoseconds(self, monkeypatch: pytest.MonkeyPatch):
        ticks = iter([5_000_000_000, 5_500_000_000, 7_000_000_000])
        monkeypatch.setattr(time, "perf_counter_ns", lambda: next(ticks))
        device = Cpu()
        assert device.seconds([device.mark() for _ in range(3)]) == [0.0, 0.5, 2.0]

    def test_has_no_memory_of_its_own(self):
        memory = Cpu().memory
        memory.reset()
        assert memory.peak_bytes() is None
