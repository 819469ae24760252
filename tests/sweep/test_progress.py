"""What a log file or CI sees of a sweep:
one line a stage, one a point, and the table at the end."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.sweep.progress import Display, seconds_left
from asr_scaling.sweep.rounds import Rounds


def record(name: str, status: Any = "ok", **changes: Any) -> RunRecord:
    metrics = (Metric("throughput/rtfx", 9.5),) if status == "ok" else ()
    return RunRecord(
        name, status, {"model": {"name": name}}, {}, metrics=metrics, ended_at=2.0, **changes
    )


def test_stages_points_and_time_left_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display([1.0, 1.0])
    display.begin("whisper b1")
    display.stage("timed pass")
    display.advance(0.5)
    display.end(record("whisper b1"))
    display.begin("whisper b8")
    display.stage("load")
    display.end(record("whisper b8", "failed", reason="it [b]broke[/b]"))
    display.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[1/2] whisper b1 · timed pass"
    assert lines[1].startswith("[1/2] whisper b1 done in 2.0 s, about ")
    assert lines[2] == "[2/2] whisper b8 · load"
    assert lines[3] == "[2/2] whisper b8 done in 2.0 s: failed: it [b]broke[/b]"


def test_the_time_left_of_rounds_is_learnt_in_the_order_they_are_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("asr_scaling.sweep.progress.time", SimpleNamespace(monotonic=lambda: now))
    points = [PlannedPoint.of([f"batch.size={size}"]) for size in (1, 2, 4, 8)]
    jobs = Rounds(3, 42).jobs(points, "")
    sizes = [int(job.overrides[0].partition("=")[2]) for job in jobs]
    assert sizes != 3 * [1, 2, 4, 8]
    took = [10 + 60 * size for size in sizes]
    display = Display([job.weight for job in jobs])
    for seconds in took:
        display.begin("point")
        now += seconds
        display.end(record("point"))
    display.close()
    *said, last = capsys.readouterr().err.splitlines()
    left = [
        [int(number) for number in re.findall(r"\d+", line.partition(", about ")[2])]
        for line in said
    ]
    assert [60 * minutes + seconds for minutes, seconds in left[1:]] == [
        sum(took[i:]) for i in range(2, 12)
    ]
    assert "about" not in last


def test_a_sweeper_may_choose_more_points_than_were_foreseen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = Display([1.0])
    display.reused(record("first"))
    for name in ("second", "third"):
        display.begin(name)
        display.end(record(name))
    display.close()
    assert capsys.readouterr().err.splitlines()[1:] == [
        "[2/1] second done in 2.0 s",
        "[3/1] third done in 2.0 s",
    ]


def test_what_was_said_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display([1.0])
    for line in ("weights are random", "weights are random", "another [thing]"):
        display.say(line)
    display.close()
    assert capsys.readouterr().err.splitlines() == ["weights are random", "another [thing]"]


def test_results_go_to_standard_output_and_hints_follow(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display([1.0, 1.0])
    display.close()
    found = [
        record("whisper"),
        record("wav2vec2", "out_of_memory", reason="a batch of 64 does not fit"),
    ]
    display.results(found, "2 of 2 points", ["Records: here"])
    out = capsys.readouterr().out
    assert out.startswith("2 of 2 points")
    assert "9.5" in out
    assert "• wav2vec2: out of memory: a batch of 64 does not fit" in out
    assert out.splitlines()[-1] == "Records: here"


def test_no_table_where_nothing_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display([1.0])
    display.close()
    display.results([record("whisper", "failed", reason="no weights")], "1 of 1 points", [])
    assert capsys.readouterr().out == "• whisper: failed: no weights\n"


def test_the_time_left_is_learnt_as_a_constant_and_a_share_of_the_weight() -> None:
    done = [(w, 10 + 2 * w) for w in (1.0, 4.0, 16.0)]
    assert seconds_left(done, [8.0, 32.0]) == pytest.approx(10 + 16 + 10 + 64)


def test_one_point_tells_only_the_mean() -> None:
    assert seconds_left([(4.0, 20.0)], [8.0, 8.0]) == pytest.approx(40)


def test_heavier_points_that_took_less_tell_only_the_mean() -> None:
    assert seconds_left([(1.0, 30.0), (2.0, 10.0)], [5.0]) == pytest.approx(20)


@given(
    st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(0, 1e4)), min_size=1, max_size=20),
    st.lists(st.floats(1e-3, 1e3), max_size=20),
)
def test_no_time_left_is_negative(done: list[tuple[float, float]], left: list[float]) -> None:
    assert seconds_left(done, left) >= 0
