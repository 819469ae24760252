"""sweep.precision: who is measured once more, when it ends, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from asr_scaling.core.call_summary import summarise
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import Spread, with_spread
from asr_scaling.errors import ConfigError
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.sweep.precision import Planner
from asr_scaling.sweep.rounds import Rounds

POINTS = (PlannedPoint.of(["batch.size=1"]), PlannedPoint.of(["batch.size=8"]))
LITTLE = with_spread({}, Spread(0.001, None, 1.0, source="a test"))


def planner(precision: float = 0.03, most: int = 6) -> Planner:
    return Planner(Rounds(3, 42, precision, most), POINTS, "${hydra.job.num}_x", "asr_scaling")


def measure(folder: Path, point: int, median_s: Sequence[float], status: str = "ok") -> None:
    """Rounds of a point, each with calls around its own median."""
    for k, seconds in enumerate(median_s):
        calls = tuple(
            Sample((f"u{i}",), 5.0, 5.0, seconds * (1 + i / 10_000), {}, started_at=float(i))
            for i in range(8)
        )
        found = summarise(calls)
        sweep = {"processes": 3, "round": k}
        made = {"overrides": [f"batch.size={(1, 8)[point]}"]}
        RunRecord(
            f"point {point}",
            status,  # type: ignore[arg-type]
            {"sweep": sweep, "hydra": made},
            LITTLE,
            None if status == "ok" else "it broke",
            samples=calls,
            metrics=found.metrics,
            unavailable=dict(found.unavailable),
            started_at=100.0 * k,
            ended_at=100.0 * k + 15,
        ).write(folder / "rounds" / str(k) / f"{point}_x")


AGREEING, APART = (1.0, 1.001, 0.999), (1.0, 1.1, 0.9)


def test_only_points_that_are_not_known_well_enough_get_another_round(tmp_path: Path) -> None:
    measure(tmp_path, 0, AGREEING)
    measure(tmp_path, 1, APART)
    (job,) = planner().further(tmp_path, 3)
    place = "hydra.sweep.subdir='rounds/3/1_x'"
    assert job.overrides == ("batch.size=8", "+sweep.round=3", place, "sweep.processes=3")
    assert planner().further(tmp_path, 3) == (job,)  # a sweep that goes on decides the same
    assert planner(0.3).further(tmp_path, 3) == ()


def test_it_ends_at_the_limit_and_says_what_more_would_take(tmp_path: Path) -> None:
    measure(tmp_path, 0, AGREEING)
    measure(tmp_path, 1, (*APART, 1.05, 0.95))
    assert len(planner(most=6).further(tmp_path, 5)) == 1
    assert planner(most=5).further(tmp_path, 5) == ()
    known, unknown = planner(most=5).sentences(tmp_path)
    assert known == "point 0: ± 0.18 % of the median, 3 processes."
    assert unknown.startswith("point 1: ± ")
    assert " % of the median, 5 processes; ± 3 % would take about " in unknown
    assert unknown.endswith(" more; stopped at sweep.most_processes=5.")
    needed = int(unknown.partition("would take about ")[2].split()[0])
    assert 10 < needed < 60
    assert f"about {needed} processes of 8 calls each, " in unknown
    assert "anew" not in unknown  # other calls would not lessen what processes differ by
    minutes = f"{(needed - 5) * 20 / 60:.0f} minutes more"
    assert minutes in unknown


def noisy(folder: Path, calls: Sequence[int], planned: int | None = None) -> None:
    """Rounds of the first point, whose calls differ much and whose processes differ little.

    calls: of each round; ``planned``: of those after the third.
    """
    for k, number in enumerate(calls):
        offsets = (0.2 * math.cos(2.4 * i + k) for i in range(number))
        made = tuple(
            Sample(("u",), 5.0, 5.0, math.exp(x), {}, started_at=float(i))
            for i, x in enumerate(offsets)
        )
        found = summarise(made)
        sweep = {"processes": 3, "round": k} | ({} if k < 3 or not planned else {"calls": planned})
        RunRecord(
            "point 0",
            "ok",
            {"sweep": sweep, "hydra": {"overrides": ["batch.size=1"]}},
            LITTLE,
            samples=made,
            metrics=found.metrics,
            unavailable=dict(found.unavailable),
            job_s={"timed pass": float(number)},
            started_at=1000.0 * k,
            ended_at=1000.0 * k + 55 + number,
        ).write(folder / "rounds" / str(k) / "0_x")


def test_further_processes_make_more_calls_where_the_plan_has_more(tmp_path: Path) -> None:
    noisy(tmp_path, (10, 10, 10))
    (job,) = planner().further(tmp_path, 3)
    assert job.overrides[:2] == ("batch.size=1", "+sweep.calls=20")
    assert planner().title((job,)) == "of 2 points in 1 processes each"
    noisy(tmp_path, (10, 10, 10, 20), planned=20)
    (again,) = planner().further(tmp_path, 3)
    assert again == job  # a sweep that goes on decides the same
    assert "+sweep.calls=20" in planner().further(tmp_path, 4)[0].overrides
    (said,) = planner(0.01).sentences(tmp_path)
    assert " of the median, 4 processes of 10 to 20 calls; ± 1 % would take " in said


def test_what_can_not_be_reached_is_said(tmp_path: Path) -> None:
    measure(tmp_path, 1, APART)
    (said,) = planner(0.0001, most=3).sentences(tmp_path)
    assert "; ± 0.01 % would take more than 100 processes of 8 calls each; stopped" in said


def test_a_point_that_failed_is_not_measured_further(tmp_path: Path) -> None:
    measure(tmp_path, 0, AGREEING)
    measure(tmp_path, 1, APART, status="failed")
    assert planner().further(tmp_path, 3) == ()
    assert len(planner().sentences(tmp_path)) == 1


def test_rounds_of_an_earlier_run_are_looked_at_again(tmp_path: Path) -> None:
    """Only in their process is it known whether they still hold."""
    measure(tmp_path, 0, (*AGREEING, 1.0))
    (job,) = planner().further(tmp_path, 3)
    assert job.overrides[0] == "batch.size=1"


def test_the_title_counts_processes() -> None:
    first = planner().rounds.jobs(POINTS, "x")
    assert planner().title(first) == "of 2 points in 3 processes each"
    more = planner().rounds.round(3, [(1, POINTS[1])], "x", "asr_scaling")
    assert planner().title((*first, *more)) == "of 2 points in 3 to 4 processes each"
    assert planner().done((*first, *more)) == 4


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"precision": 0}, "sweep.precision must be between 0 and 1, or null; got 0."),
        ({"precision": "high"}, "sweep.precision must be between 0 and 1, or null; got high."),
        ({"precision": True}, "sweep.precision must be between 0 and 1, or null; got True."),
        (
            {"precision": 0.03, "most_processes": 2},
            "sweep.most_processes must be 3 or more; got 2.",
        ),
        (
            {"precision": 0.03, "processes": 5, "most_processes": 4},
            "sweep.most_processes must be 5 or more; got 4.",
        ),
    ],
)
def test_options_that_can_not_work(options: dict[str, object], wanted: str) -> None:
    with pytest.raises(ConfigError) as error:
        Rounds.of({"sweep": options})
    assert str(error.value) == wanted


def test_options_of_a_precision() -> None:
    assert Rounds.of({"sweep": {"precision": 0.03}, "seed": 7}) == Rounds(3, 7, 0.03, 10)
    wanted = {"precision": 0.03, "processes": 4, "most_processes": 20}
    assert Rounds.of({"sweep": wanted, "seed": 7}) == Rounds(4, 7, 0.03, 20)
