"""What the cache promises to processes that share it:
an entry is made once, and whole or not there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from asr_scaling.dataset.demo import Demo
from asr_scaling.util import cache
from asr_scaling.util.cache import alone, cache_dir, made_once, new_folder

MAKE = """
import sys, time
from pathlib import Path
from asr_scaling.util.cache import cache_dir, made_once, seal, sealed
log, slow = Path(sys.argv[1]), sys.argv[2]
target = cache_dir("things") / "entry"

def make(folder):
    with log.open("a") as file:
        file.write("made\\n")
    (folder / "first").write_text("x" * 1000)
    if slow == "for ever":
        print("half", flush=True)
        sys.stdin.read()
    time.sleep(0.2)
    (folder / "second").write_text("y" * 1000)
    seal(folder, {})

found = made_once(target, lambda: sealed(target, "first", "second"), make)
print(sorted(found["files"]))
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))


def maker(log: Path, slow: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MAKE, str(log), slow]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_processes_at_once_make_one_whole_entry(tmp_path: Path):
    makers = [maker(tmp_path / "log") for _ in range(3)]
    said = [process.communicate(timeout=60)[0] for process in makers]
    assert said == ["['first', 'second']\n"] * 3
    assert (tmp_path / "log").read_text() == "made\n"


def test_one_that_is_killed_halfway_leaves_nothing_that_others_read(tmp_path: Path):
    with maker(tmp_path / "log", "for ever") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "half\n"
        with maker(tmp_path / "log") as second:  # waits for the first
            assert not (cache_dir("things") / "entry").exists()
            first.kill()
            assert second.communicate(timeout=60)[0] == "['first', 'second']\n"
    assert (tmp_path / "log").read_text() == "made\n" * 2
    assert [path.name for path in cache_dir("things").iterdir()] == [
        "entry"
    ]  # the half is cleared away


@contextmanager
def _nobody_waits(kind: str, name: str) -> Iterator[None]:
    yield


def test_without_locks_the_first_to_end_wins_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "alone", _nobody_waits)
    target = cache_dir("things") / "entry"

    def read() -> str | None:
        return (target / "file").read_text() if (target / "file").exists() else None

    def late(folder: Path) -> None:
        assert (
            made_once(target, read, lambda other: (other / "file").write_text("first")) == "first"
        )
        (folder / "file").write_text("second")

    assert made_once(target, read, late) == "first"
    assert [path.name for path in cache_dir("things").iterdir()] == ["entry"]


def test_a_damaged_entry_is_replaced_whole():
    target = cache_dir("things") / "entry"
    target.mkdir()
    (target / "file").write_text("damaged")

    def read() -> str | None:
        text = (target / "file").read_text()
        return None if text == "damaged" else text

    assert made_once(target, read, lambda new: (new / "file").write_text("whole")) == "whole"
    assert [path.name for path in cache_dir("things").iterdir()] == ["entry"]


def test_a_cache_that_knows_no_locks_is_used_without(tmp_path: Path):
    cache_dir("things")
    (tmp_path / "cache" / "locks").write_text("a file where a folder should be")
    with alone("things", "entry"), new_folder(cache_dir("things") / "entry") as new:
        (new / "file").write_text("x")
    assert (cache_dir("things") / "entry" / "file").read_text() == "x"


def test_fragments_wanted_by_several_at_once_are_made_once():
    with ThreadPoolExecutor(4) as pool:
        loads = list(pool.map(lambda _: Demo(length_s=10.0).load(3), range(4)))
    assert sorted(load.info.cached for load in loads) == [False, True, True, True]
    assert len({load.info.digest for load in loads}) == 1
