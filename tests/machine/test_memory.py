"""Resident memory: a block's peak is seen by the kernel's mark and by sampling."""

from __future__ import annotations

import gc
import os
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from asr_scaling.machine import memory
from asr_scaling.machine.memory import peak_resident, release_memory, resident_bytes

BIG = 200_000_000


def touched() -> np.ndarray:
    return np.ones(BIG, dtype=np.uint8)


def test_resident_bytes_grow_with_what_is_touched():
    release_memory()
    before = resident_bytes()
    held = touched()
    assert resident_bytes() - before == pytest.approx(BIG, rel=0.1)
    assert held[-1] == 1


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="the kernel has no high-water mark here"
)
class TestKernel:
    def test_sees_a_peak_that_is_gone_when_the_block_ends(self):
        release_memory()
        before = resident_bytes()
        with peak_resident() as peak:
            touched()
        assert peak.method == "kernel high-water mark"
        assert peak.bytes - before == pytest.approx(BIG, rel=0.1)

    def test_forgets_the_peak_before_the_block(self):
        touched()
        release_memory()
        before = resident_bytes()
        with peak_resident() as peak:
            pass
        assert peak.bytes - before < BIG / 10

    def test_a_block_that_fails_has_its_peak(self):
        def block() -> None:
            touched()
            raise ValueError("x")

        before = resident_bytes()
        with pytest.raises(ValueError, match="x"), peak_resident() as peak:
            block()
        assert peak.bytes - before == pytest.approx(BIG, rel=0.1)


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def much() -> Iterator[list[list[None]]]:
    """All that is there counts as new, and is much, as at the first point of a process."""
    gc.unfreeze()
    yield [[] for _ in range(100_000)]
    gc.unfreeze()


@pytest.mark.usefixtures("much")
class TestFreeze:
    def test_later_collections_walk_through_nothing_that_was_there(self):
        release_memory(freeze=True)
        assert len(gc.get_objects()) < 1000

    def test_what_a_point_leaves_is_not_kept(self):
        release_memory(freeze=True)
        circle = Circle()
        seen = weakref.ref(circle)
        release_memory(freeze=True)
        del circle
        release_memory()
        assert seen() is None

    def test_once_much_has_come_what_was_frozen_and_is_garbage_goes(self):
        circle = Circle()
        seen = weakref.ref(circle)
        release_memory(freeze=True)
        del circle
        come = [[] for _ in range(100_000)]
        release_memory(freeze=True)
        assert seen() is None
        assert len(gc.get_objects()) < len(come)


class TestSampled:
    @pytest.fixture(autouse=True)
    def no_mark(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setattr(memory, "_CLEAR_REFS", tmp_path / "none" / "clear_refs")

    def test_sees_the_peak(self):
        release_memory()
        before = resident_bytes()
        with peak_resident() as peak:
            held = touched()
            patience = time.monotonic() + 30
            while peak.bytes - before < 0.9 * BIG and time.monotonic() < patience:
                time.sleep(0.005)  # the sampler's turn
            assert held[-1] == 1
        assert peak.method == "sampled every 5 ms"
        assert peak.bytes - before == pytest.approx(BIG, rel=0.1)

    def test_never_samples_nothing(self):
        with peak_resident() as peak:
            pass
        assert peak.bytes > 0
