"""What processes showed is kept for later, of this machine only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from asr_scaling.core.earlier import Earlier
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.machine import spread_history
from asr_scaling.machine.environment import environment
from asr_scaling.machine.spread_history import add, entries, note


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))


def call(seconds: float, process: int, key: str = "a") -> Sample:
    return Sample((key,), 1.0, 1.0, seconds, {}, process=process)


def record(samples: Sequence[Sample], beats: Sequence[Beat] = ()) -> RunRecord:
    return RunRecord(
        "point", "ok", {}, environment(), system={"device": "cpu"}, samples=tuple(samples),
        beats=tuple(beats), started_at=1000.0, identity="one",
    )  # fmt: skip


def test_a_processs_figure_is_the_mean_over_common_inputs_of_their_median():
    calls = [
        call(1.0, 0), call(2.0, 0), call(4.0, 0), call(8.0, 0, "b"), call(64.0, 0, "only here"),
        call(3.0, 1), call(6.0, 1, "b"),
    ]  # fmt: skip
    note(record(calls))
    (entry,) = entries()
    assert entry.logs == pytest.approx((math.log(16) / 2, math.log(18) / 2))
    assert (entry.at, entry.system, entry.states) == (1000.0, "one", ())


def test_a_processs_state_is_the_median_of_its_beats():
    calls = [call(1.0, 0), call(2.0, 1)]
    beats = [Beat(t, {"memory": s}, k) for t, s, k in ((0, 1.0, 0), (1, 3.0, 0), (0, 5.0, 1))]
    note(record(calls, beats))
    (entry,) = entries()
    assert entry.states == ({"memory": 2.0}, {"memory": 5.0})


def test_other_speech_is_another_thing_that_was_timed():
    for key in ("a", "b"):
        note(record([call(1.0, 0, key), call(1.1, 1, key)]))
    assert len({entry.timed for entry in entries()}) == 2
    assert len({entry.system for entry in entries()}) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "failed", "reason": "why"},
        {"samples": ()},
        {"system": {"device": "cuda:0"}},
        {"environment": {"host": "another"}},
    ],
)
def test_nothing_is_kept_of_what_says_nothing_of_this_machine(changes):
    note(replace(record([call(1.0, 0), call(1.1, 1)]), **changes))
    assert entries() == []


def test_a_record_noted_twice_is_kept_once_and_only_the_newest_are_kept(monkeypatch):
    for _ in range(2):
        note(record([call(1.0, 0), call(1.1, 1)]))
    assert len(entries()) == 1
    monkeypatch.setattr(spread_history, "MOST", 3)
    for at in (5.0, 1.0, 4.0, 3.0, 2.0):
        add(Earlier("s", at, (0.1, 0.2)))
    assert [entry.at for entry in entries()] == [4.0, 5.0, 1000.0]


def test_a_damaged_file_is_as_none(tmp_path):
    add(Earlier("s", 0.0, (0.1, 0.2)))
    (path,) = (tmp_path / "spread").glob("*.json")
    path.write_text(path.read_text().replace('"at": 0.0', '"at": 1.0'))
    assert entries() == []


def test_an_entry_of_another_version_is_left_out_alone():
    @dataclass(frozen=True)
    class Other(Earlier):
        usual: tuple[float, ...] = ()

    add(Earlier("s", 0.0, (0.1, 0.2)))
    add(Other("other", 1.0, (0.1, 0.2)))
    assert [entry.system for entry in entries()] == ["s"]


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_text("")
    add(Earlier("s", 0.0, (0.1, 0.2)))
    assert entries() == []
