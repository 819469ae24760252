"""The machine's state over a sweep as a figure with sentences that read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.reading import figures, points, words
from support.states import Slowness, usual, with_beats
from support.studies import BASE, TINY, study

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.core.record import RunRecord
from asr_scaling.report.document import Bullets, Figure, Section
from asr_scaling.report.machine_state import blocks
from asr_scaling.report.method import section
from asr_scaling.report.output.svg import drawn, inlined
from asr_scaling.report.output.time_axis import TimeAxis


def records(slowness: Slowness = usual, **options: float | bool) -> list[RunRecord]:
    return with_beats(study((TINY, BASE), (5.0,), (1, 2, 4)), slowness, **options)


def found(records: Sequence[RunRecord]) -> Section:
    return section(named(map(to_point, records)))


def slow(probe: str, moment: float) -> float:
    """Memory takes 1.4 times as long while points 2 and 3 are measured."""
    return 1.4 if probe.startswith("memory") and 90 <= moment < 210 else 1.0


def test_the_method_draws_it_and_reads_it():
    part = found(records(slow))
    assert "machine-state" in figures(part)
    text = words(part)
    assert "**The machine's state over the sweep**: " in text
    made = records()
    assert (
        f"For 59 s, while points 2–3 were measured ({made[1].name} to {made[2].name}), "
        "reading memory took 40 % longer."
    ) in text


def test_a_quiet_machine_is_said_to_be_one():
    text = words(found(records()))
    assert "Nothing took 15 % more or less time than in this machine's usual state" in text
    assert "Standard deviation of the readings: reading memory 2" in text


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (90, 120, "while point 2 was measured ("),
        (0, 999, "over all points, "),
    ],
)
def test_which_points_were_measured_then(first: float, last: float, said: str):
    def state(probe: str, moment: float) -> float:
        return 0.5 if probe == "dispatch" and first <= moment < last else 1.0

    text = words(found(records(state, noise=0.0)))
    assert "Python's interpreter took 50 % less time." in text
    assert said in text


def test_records_without_beats_have_no_such_part():
    part = section(points(TINY, lengths=(5.0,), batches=(1,)))
    assert "machine's state" not in words(part)
    assert figures(part) == {}


def test_a_multiple_is_told_as_one():
    text = words(
        found(records(lambda probe, moment: 2.5 if probe == "dispatch" else 1.0, noise=0.0))
    )
    assert "Python's interpreter took 2.5 times as long." in text


def test_each_machine_has_its_own():
    here = records()
    there = [
        replace(one, environment={**one.environment, "host": "other"}) for one in records(slow)
    ]
    made = figures(found([*here, *there]))
    assert list(made) == ["machine-state", "machine-state-2"]
    assert "of other over the sweep" in words(found([*here, *there]))


def test_points_are_marked_with_their_names_and_the_filters_keys():
    (drawing,) = figures(found(records())).values()
    titles = {mark.title for mark in drawing.marks.values()}
    first = records()[0].name
    assert f"1: {first}" in titles
    mark = next(m for m in drawing.marks.values() if m.title == f"1: {first}")
    assert mark.keys["model"] == "whisper_tiny_en"
    assert "1: whisper_tiny_en" in inlined(drawn(drawing), drawing)


def test_what_is_drawn_of_a_long_sweep_is_little():
    many = with_beats(study((TINY, BASE), (5.0,), (1, 2, 4)) * 20, slow, every_s=0.1)
    made: list[Point] = list(map(to_point, many))
    (drawing,) = (block for block in blocks(made) if isinstance(block, Figure))
    lines = [line for axes in drawing.drawing.axes for line in axes.lines]
    assert max(len(line.get_xdata()) for line in lines) <= 700
    assert "with its number" not in drawing.caption, "numbers of 120 points would not be read"
    assert len(drawn(drawing)) < 500_000


def test_what_is_off_again_and_again_is_counted():
    def flicker(probe: str, moment: float) -> float:
        return 1.5 if probe == "dispatch" and int(moment / 10) % 2 else 1.0

    (said,) = (
        block
        for block in blocks(list(map(to_point, records(flicker))))
        if isinstance(block, Bullets)
    )
    assert any("shorter or smaller changes of 15 % or more." in item for item in said.items)
    assert len(said.items) <= 7


class TestTimeAxis:
    def test_pauses_are_short_and_calls_as_long_as_they_were(self):
        axis = TimeAxis([(0.0, 40.0), (1000.0, 1060.0)])
        assert axis.place(40.0) == 40.0
        assert axis.place(1000.0) == 52.5, "a quarter of 100 s, over two spans"
        assert axis.place(1060.0) == axis.end == 112.5
        assert axis.label == "time (seconds; pauses between timed calls are shortened)"

    def test_a_short_pause_is_as_it_was(self):
        axis = TimeAxis([(100.0, 140.0), (141.0, 200.0)])
        assert axis.place(141.0) == 41.0
        assert axis.apart(139.0, 142.0)
        assert not axis.apart(142.0, 150.0)

    def test_what_overlaps_is_one(self):
        axis = TimeAxis([(10.0, 30.0), (0.0, 20.0), (5.0, 8.0)])
        assert axis.end == 30.0
        assert axis.label == "time (seconds)"

    def test_long_ones_are_in_minutes(self):
        axis = TimeAxis([(0.0, 600.0)])
        assert (axis.place(300.0), axis.end, axis.label) == (5.0, 10.0, "time (minutes)")
