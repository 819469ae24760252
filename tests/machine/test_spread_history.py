"""What was measured here earlier says more of this machine's spread than the self-test alone."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import Spread
from asr_scaling.machine import spread_history
from asr_scaling.machine.environment import environment
from asr_scaling.machine.spread_history import SELF_TEST, Entry, add, entries, known, note

CERTIFIED = Spread(0.04, usual=0.02, freedom=5.0, source="self-test")
HOUR = 3600.0


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))


def call(seconds: float, process: int, key: str = "a") -> Sample:
    return Sample((key,), 1.0, 1.0, seconds, {}, process=process)


def record(samples: Sequence[Sample]) -> RunRecord:
    return RunRecord(
        "point", "ok", {}, environment(), system={"device": "cpu"}, samples=tuple(samples),
        started_at=1000.0, identity="one",
    )  # fmt: skip


def three_processes(spread: float, at: float = 0.0, system: str = "s", mean: float = 0.0) -> Entry:
    """Three processes with this very standard deviation."""
    return Entry(system, at, (mean - spread, mean, mean + spread))


def test_a_processs_figure_is_the_mean_over_common_inputs_of_their_median():
    calls = [
        call(1.0, 0), call(2.0, 0), call(4.0, 0), call(8.0, 0, "b"), call(64.0, 0, "only here"),
        call(3.0, 1), call(6.0, 1, "b"),
    ]  # fmt: skip
    note(record(calls), usual=[call(5.0, 0), call(5.0, 0, "b"), call(5.0, 1), call(5.0, 1, "b")])
    (entry,) = entries()
    assert entry.logs == pytest.approx((math.log(16) / 2, math.log(18) / 2))
    assert entry.usual == pytest.approx((math.log(5), math.log(5)))
    assert (entry.at, entry.system.split()[0]) == (1000.0, "one")


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
        add(three_processes(0.1, at))
    assert [entry.at for entry in entries()] == [4.0, 5.0, 1000.0]


def test_a_damaged_file_is_as_none(tmp_path):
    add(three_processes(0.1))
    (path,) = (tmp_path / "spread").glob("*.json")
    path.write_text(path.read_text().replace('"at": 0.0', '"at": 1.0'))
    assert entries() == []
    assert known(CERTIFIED) == CERTIFIED


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_text("")
    add(three_processes(0.1))
    assert entries() == []


def test_with_fewer_than_three_systems_the_self_test_stands():
    add(three_processes(0.2))
    add(three_processes(0.2, at=5.0))
    assert known(CERTIFIED) == CERTIFIED


def test_systems_that_are_alike_say_more_together():
    for i, spread in enumerate((0.04, 0.041, 0.039)):
        add(three_processes(spread, system=f"s{i}"))
    found = known(CERTIFIED)
    assert found.processes == pytest.approx(0.04, rel=0.01)
    assert found.freedom == pytest.approx(5 + 3 * 2)
    assert found.source == "self-test, and 3 systems measured here earlier"


def test_systems_that_are_unlike_count_little_for_another_one():
    for i, spread in enumerate((0.001, 0.2, 0.005, 0.4)):
        add(three_processes(spread, system=f"s{i}"))
    assert known(CERTIFIED).freedom < 2


def test_what_records_show_at_the_usual_state_is_pooled_too():
    for i in range(3):
        add(Entry(f"s{i}", 0.0, (-0.04, 0.0, 0.04), (-0.01, 0.0, 0.01)))
    found = known(CERTIFIED)
    assert found.usual is not None
    assert 0.01 < found.usual < 0.02
    assert known(Spread(0.04, source="self-test")).usual is None


def test_hours_are_told_from_three_of_them():
    means = (0.0, 0.2, -0.2)
    for i, mean in enumerate(means[:2]):
        add(three_processes(0.04, at=i * 2 * HOUR, system=SELF_TEST, mean=mean))
    assert known(CERTIFIED).hours is None
    add(three_processes(0.04, at=4 * 2 * HOUR, system=SELF_TEST, mean=means[2]))
    expected = statistics.variance(means) - 0.04**2 / 3
    assert known(CERTIFIED).hours == pytest.approx(math.sqrt(expected))


def test_measurements_within_an_hour_are_one_hour():
    for i in range(4):
        add(Entry(SELF_TEST, i * HOUR / 4, (float(i),)))
    assert known(CERTIFIED).hours is None


def test_hours_that_differ_by_no_more_than_processes_add_nothing():
    for i in range(4):
        add(three_processes(0.04, at=i * 2 * HOUR, system=SELF_TEST))
    assert known(CERTIFIED).hours == 0.0


def test_the_typical_spread_of_simulated_systems_is_found():
    rng = np.random.default_rng(4)
    for i in range(60):
        own = 0.05 * math.sqrt(8 / rng.chisquare(8))
        add(Entry(f"s{i}", 0.0, tuple(rng.normal(0, own, 6).tolist())))
    found = known(CERTIFIED)
    assert found.processes == pytest.approx(0.05, rel=0.15)
    assert 4 < found.freedom < 25
