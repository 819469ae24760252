"""The order of a sweep in rounds, and what each of its rounds measures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import Recorder

from asr_scaling.core.record import RunRecord
from asr_scaling.errors import ConfigError
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.sweep.rounds import Rounds, budgets, measurements, merge_rounds

POINTS = [
    ["model=a", "batch.size=1"],
    ["model=a", "batch.size=8"],
    ["model=b", "batch.size=1"],
    ["model=b"],
]
PATTERN = "${hydra.job.num}_${model.name}"


def jobs_of(rounds: Rounds, points: Sequence[Sequence[str]]) -> list[list[str]]:
    jobs = rounds.jobs([PlannedPoint.of(point) for point in points], PATTERN)
    return [list(job.overrides) for job in jobs]


@given(points=st.integers(1, 12), count=st.integers(2, 5), seed=st.integers())
def test_each_round_has_each_point_once(points: int, count: int, seed: int) -> None:
    names = [[f"point={i}"] for i in range(points)]
    jobs = jobs_of(Rounds(count, seed), names)
    assert len(jobs) == points * count
    for k in range(count):
        part = jobs[k * points : (k + 1) * points]
        assert Counter(job[0] for job in part) == Counter(name[0] for name in names)
        assert {job[-2] for job in part} == {f"+sweep.round={k}"}


def test_a_point_has_one_folder_name_in_every_round() -> None:
    jobs = jobs_of(Rounds(3, 42), POINTS)
    folders = {tuple(job[:-2]): set() for job in jobs}
    for job in jobs:
        folders[tuple(job[:-2])].add(job[-1])
    expected = [
        {f"hydra.sweep.subdir='rounds/{k}/{i}_${{model.name}}'" for k in range(3)} for i in range(4)
    ]
    assert [folders[tuple(point)] for point in POINTS] == expected


def test_the_order_is_the_seeds() -> None:
    jobs = jobs_of(Rounds(3, 42), POINTS)
    assert jobs_of(Rounds(3, 42), POINTS) == jobs
    assert jobs_of(Rounds(3, 7), POINTS) != jobs
    orders = [[job[:-2] for job in jobs[k : k + 4]] for k in (0, 4, 8)]
    assert any(order != orders[0] for order in orders)


def test_options_say_whether_there_are_rounds() -> None:
    assert Rounds.of({"sweep": {"processes": 4}, "seed": 7}) == Rounds(4, 7)
    assert Rounds.of({"sweep": {"processes": 1}}) is None
    assert Rounds.of({}) is None


@pytest.mark.parametrize("count", [0, -3])
def test_less_than_one_process_is_none(count: int) -> None:
    with pytest.raises(ConfigError, match=r"^sweep.processes must be 1 or more; got "):
        Rounds.of({"sweep": {"processes": count}})


def test_a_planned_number_of_calls_takes_the_place_of_a_precision_and_gets_the_time() -> None:
    asked = Pipeline(utterances=4, min_iterations=6, precision=0.02, max_seconds=8.0)
    assert budgets(asked, None) is asked
    planned = budgets(asked, 24)
    assert planned == replace(asked, precision=None, min_iterations=24, max_seconds=32.0)
    assert budgets(asked, 3).max_seconds == 8.0


def test_only_the_first_round_disturbs_and_scores() -> None:
    every = {
        "a": Recorder("a", "timed"),
        "b": Recorder("b", "disturbing"),
        "c": Recorder("c", "final"),
    }
    assert measurements(every, None) == measurements(every, 0) == every
    assert list(measurements(every, 1)) == list(measurements(every, 2)) == ["a"]


class Kept:
    def __init__(self) -> None:
        self.written: list[tuple[str, str, str | None]] = []

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        self.written.append((folder.name, record.tags["sweep/rounds"], parent))


def test_points_are_stored_in_their_order_without_unreadable_rounds(tmp_path: Path) -> None:
    for number in (10, 2):
        for k in (0, 1):
            part = RunRecord("point", "ok", {"sweep": {"round": k, "rounds": 2}}, {})
            part.write(tmp_path / "rounds" / str(k) / f"{number}_point")
    (tmp_path / "rounds" / "1" / "2_point" / "record.json").write_text("{")
    sink = Kept()
    merge_rounds(tmp_path, sink, "sweep")  # type: ignore[arg-type]
    assert sink.written == [("2_point", "1", "sweep"), ("10_point", "2", "sweep")]
    assert [path.parent.name for path in sorted(tmp_path.glob("*/record.json"))] == [
        "10_point",
        "2_point",
    ]
