"""Figures at the machine's usual state are what is ranked and shown, and it is said."""

from __future__ import annotations

import pytest
from support import reading
from support.reading import at_usual
from support.studies import BASE, TINY

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.usual_state import at_usual_state, changed_by_state

RTFX = "throughput/rtfx"


def points() -> list[Point]:
    return reading.points(TINY, BASE, lengths=(5.0,), batches=(1, 2))


def test_it_is_said_of_how_many_points_figures_are_at_the_usual_state():
    made = points()
    assert at_usual_state(made) == []
    (line,) = at_usual_state([at_usual(made[0], 1.2), *made[1:]])
    assert "1 of 4 points have such figures; those of the others count as they were." in line
    (whole,) = at_usual_state([at_usual(point, 1.2) for point in made])
    assert "4" not in whole


@pytest.mark.parametrize(("speed", "word"), [(1.3, "slower"), (0.7, "faster")])
def test_a_point_whose_speed_the_state_changed_is_pointed_out(speed: float, word: str):
    made = points()
    (line,) = changed_by_state([at_usual(made[0], speed), *made[1:]])
    assert line.startswith(f"{made[0].name}: RTFx ")
    assert f"the machine was {word} than usual while it was measured." in line


def test_a_change_within_the_intervals_is_not_pointed_out():
    assert changed_by_state([at_usual(points()[0], 1.001)]) == []


def test_many_are_counted():
    many = [at_usual(point, 1.3) for point in points() * 3]
    assert changed_by_state(many)[-1] == "The same holds for 4 more points."


def test_the_point_judges_by_the_usual_state_and_keeps_what_was_measured():
    made = at_usual(points()[0], 1.25)
    assert made.judged(RTFX) == pytest.approx(1.25 * made.values[RTFX])
    per_utterance = "latency_per_utterance/mean_s"
    assert made.judged(per_utterance) == pytest.approx(made.values[per_utterance] / 1.25)
    assert made.value(RTFX) == points()[0].value(RTFX)
