"""A process of its own: what it is given, what it inherits, and how each of its ends is told."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr_scaling.errors import DataError, FreshProcessError, OutOfMemoryError
from asr_scaling.machine.fresh_process import Read, in_fresh_process
from asr_scaling.machine.memory import peak_resident, resident_bytes


def told(read: Read) -> dict[str, Any]:
    with peak_resident() as peak:
        pass
    first, before = read(), resident_bytes()
    second = read()
    return {
        "first": first,
        "second": len(second),
        "grown": resident_bytes() - before,
        "peak": peak.bytes,
        "pid": os.getpid(),
        "modules": set(sys.modules),
        "path": list(sys.path),
        "variable": os.environ.get("ASR_SCALING_TOLD"),
    }


def noisy(read: Read) -> str:
    os.write(1, b"\xff said by a library\n")
    return "heard"


def full(read: Read) -> None:
    raise OutOfMemoryError("It does not fit.")


def fuller(read: Read) -> None:
    raise MemoryError


def wrong(read: Read) -> None:
    raise DataError("The speech is silent: record it again.")


def broken(read: Read) -> None:
    raise ValueError("a shape is wrong")


def killed(read: Read) -> None:
    os.kill(os.getpid(), 9)


def left(read: Read) -> None:
    os._exit(3)


def slow(read: Read) -> None:
    time.sleep(60)


def test_it_has_nothing_of_this_process_but_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASR_SCALING_TOLD", "yes")
    held = np.ones(400_000_000, dtype=np.uint8)  # its peak would be inherited by ru_maxrss
    found = in_fresh_process(told, ({"a": 1}, b"x" * 50_000_000), 60)
    assert found["first"] == {"a": 1}
    assert found["second"] == 50_000_000
    assert found["variable"] == "yes"
    assert found["pid"] != os.getpid()
    assert found["peak"] < 200_000_000 < held.size
    assert not found["modules"] & {"torch", "transformers", "mlflow", "pandas", "codecarbon"}
    assert [place for place in sys.path if place not in found["path"]] == []


def test_an_argument_takes_memory_once_it_is_read():
    found = in_fresh_process(told, (None, np.ones(100_000_000, dtype=np.uint8)), 60)
    assert found["grown"] == pytest.approx(100e6, rel=0.1)


def test_what_libraries_print_is_no_part_of_the_answer():
    assert in_fresh_process(noisy, (), 60) == "heard"


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (full, OutOfMemoryError, r"^It does not fit\.$"),
        (fuller, OutOfMemoryError, "ran out of"),
        (killed, OutOfMemoryError, "ended by the kernel"),
        (wrong, FreshProcessError, r"^The speech is silent: record it again\.$"),
        (broken, FreshProcessError, r"status 1 \(ValueError: a shape is wrong\)"),
        (left, FreshProcessError, r"status 3 \(it said nothing\)"),
        (lambda read: None, FreshProcessError, "can't be handed to another process"),
    ],
)
def test_how_it_ends_is_told(
    function: Callable[[Read], None], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as raised:
        in_fresh_process(function, (), 60)
    assert type(raised.value) is kind


def test_it_is_ended_when_its_time_is_over():
    start = time.monotonic()
    with pytest.raises(FreshProcessError, match=r"ended after 2 s"):
        in_fresh_process(slow, (), 2)
    assert time.monotonic() - start < 30


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(FreshProcessError, match="could be started"):
        in_fresh_process(noisy, (), 60)
