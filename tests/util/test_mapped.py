"""Arrays in files: read piece by piece, and not resident longer than needed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from asr_scaling.util.mapped import BLOCK, in_blocks, mapped, release

MB = 1 << 20


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """64 MB of numbers."""
    path = tmp_path / "numbers.f32"
    with path.open("wb") as out:
        for i in range(16):
            out.write(np.arange(i * MB, (i + 1) * MB, dtype=np.float32).data)
    return path


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_blocks_are_the_array_in_its_order(size: int):
    array = np.arange(size, dtype=np.float32)
    found = list(in_blocks(array))
    assert np.array_equal(np.concatenate([np.zeros(0, np.float32), *found]), array)
    assert all(0 < len(block) <= BLOCK for block in found)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what is resident from /proc")
@pytest.mark.parametrize("part", [slice(None), slice(5, 900), slice(None, None, 2)])
def test_release_drops_what_was_read_and_it_can_be_read_again(file: Path, part: slice):
    array = mapped(file)
    before = resident()
    total = float(array.max())
    assert resident() - before > 50 * MB
    release(array[part])
    assert resident() - before < 10 * MB
    assert float(array.max()) == total == 16 * MB - 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads what is resident from /proc")
def test_reading_in_blocks_keeps_little_resident(file: Path):
    array = mapped(file)
    before = resident()
    most = 0
    for block in in_blocks(array):
        assert block.max() > 0
        most = max(most, resident() - before)
    assert most < 20 * MB


def test_a_map_is_read_only(file: Path):
    with pytest.raises(ValueError, match="read-only"):
        mapped(file)[0] = 1


def test_changes_of_a_map_of_its_own_stay(file: Path):
    changed = np.memmap(file, np.float32, mode="c")
    changed[:] = 7
    release(changed[3:])
    assert set(np.unique(changed)) == {7.0}


def test_other_arrays_stay_as_they_are():
    array = np.arange(10)
    release(array[2:5])
    assert array.sum() == 45
