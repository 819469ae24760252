"""The heap that keeps what is freed: counted in page faults of a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import Any

import pytest

from asr_scaling.device import _glibc_heap, _host
from asr_scaling.device._glibc_heap import Heap
from asr_scaling.device.cpu import Cpu
from asr_scaling.errors import ConfigError, DeviceError

COUNT = """
import json, resource, sys
import torch
from asr_scaling.device.cpu import Cpu

def faults(**options):
    Cpu(threads=1, **options).setup()
    counts = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.empty(64 << 20, dtype=torch.uint8).fill_(1)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return counts[-1]

print(faults(), faults(**json.loads(sys.argv[1])))
"""


class FakeLibrary:
    def __init__(self, accepts: int = 1) -> None:
        self.accepts, self.told = accepts, list[Any]()

    def mallopt(self, parameter: int, value: int) -> int:
        self.told.append((parameter, value))
        return self.accepts

    def malloc_trim(self, pad: int) -> int:
        self.told.append("trim")
        return 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize("options", ['{"heap": "keep"}', '{"steady": true}'])
def test_a_kept_heap_is_faulted_in_once_and_a_released_one_at_every_call(options: str) -> None:
    command = [sys.executable, "-c", COUNT, options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    released, kept = map(int, done.stdout.split())
    assert kept < released / 10


def test_a_process_that_never_asked_is_left_as_it_is() -> None:
    library = FakeLibrary()
    heap = Heap(library)
    heap.set("release")
    assert (library.told, heap.kept_before) == ([], False)


def test_it_is_set_once_and_set_back() -> None:
    library = FakeLibrary()
    heap = Heap(library)
    heap.set("keep")
    kept = list(library.told)
    heap.set("keep")
    assert library.told == kept
    assert heap.kept_before
    heap.set("release")
    assert heap.kept_before
    back = library.told[len(kept) :]
    assert back[-1] == "trim"
    assert {parameter for parameter, _ in kept} <= {parameter for parameter, _ in back[:-1]}


def test_refused_by_the_c_library() -> None:
    with pytest.raises(DeviceError, match="refused by this C library"):
        Heap(FakeLibrary(accepts=0)).set("keep")


def test_another_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_glibc_heap, "_glibc", lambda: None)
    monkeypatch.setattr(_host, "HEAP", Heap())
    with pytest.raises(DeviceError, match="needs Linux with glibc"):
        Cpu(heap="keep").setup()


def test_steady_keeps_the_heap_whatever_heap_says_and_is_a_fact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = FakeLibrary()
    monkeypatch.setattr(_host, "HEAP", Heap(library))
    steady, plain = Cpu(steady=True).setup(), Cpu().setup()
    assert (steady["steady"], steady["heap"]) == (True, "keep")
    assert (plain["steady"], plain["heap"]) == (False, "release")
    assert library.told[-1] == "trim", "the next point has a heap of its own kind again"


def test_an_unheard_of_heap() -> None:
    with pytest.raises(ConfigError, match="release, keep"):
        Cpu(heap="hoard")
