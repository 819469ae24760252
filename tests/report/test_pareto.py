"""Fronts: nobody on them is beaten, everybody else is; what can't be drawn is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reading import figures, points, tables, without, words
from support.studies import BASE, GPU_TINY, TINY, WAV2VEC2

from asr_scaling.analysis.pareto import front
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.reference_length import at, reference_length
from asr_scaling.core.cautions import caution
from asr_scaling.report import pareto
from asr_scaling.report.document import Section
from asr_scaling.report.output.drawing import Style

(ONE,) = points(TINY, lengths=(5.0,), batches=(1,))


def section(found: Sequence[Point]) -> Section:
    return pareto.section(found, Style.of(found))


def members(found: Section) -> list[tuple[str, ...]]:
    """Front, device, system and batch of each row."""
    return [
        tuple(cell.text for cell in row.cells[:4]) for row in tables(found)["pareto-members"].rows
    ]


@pytest.fixture(scope="module")
def made() -> Section:
    """The section on three systems, one without a WER."""
    return section(points())


def valued(cost: float | None, quality: float | None) -> Point:
    values = {"cost": cost, "quality": quality}
    return replace(ONE, values={key: value for key, value in values.items() if value is not None})


def costs(point: Point) -> tuple[float, ...] | None:
    cost, quality = point.value("cost"), point.value("quality")
    return None if cost is None or quality is None else (cost, quality)


def front_of(found: Sequence[Point]) -> list[Point]:
    return front(found, costs)


def dominates(a: Point, b: Point) -> bool:
    pairs = [(a.values[key], b.values[key]) for key in ("cost", "quality")]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


MEASURES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=25)


@given(MEASURES)
def test_no_member_is_dominated_and_everyone_else_is(measures: list[tuple[int, int]]):
    found = [valued(cost, quality) for cost, quality in measures]
    best = front_of(found)
    inside = {id(point) for point in best}
    for point in found:
        assert any(dominates(other, point) for other in found) != (id(point) in inside)
    assert [point.values["cost"] for point in best] == sorted(
        point.values["cost"] for point in best
    )


def test_what_is_not_known_is_on_no_front():
    assert front_of([valued(1.0, None), valued(None, 1.0)]) == []
    assert len(front_of([valued(1.0, None), valued(2.0, 1.0)])) == 1


def test_fronts_of_a_study(made: Section):
    """tiny is faster and cheaper, base errs less;
    a larger batch is cheaper, and WER does not depend on it."""
    assert members(made) == [
        ("RTFx", "cpu", "whisper_tiny_en", "16"), ("RTFx", "cpu", "whisper_base", "16"),
        ("latency", "cpu", "whisper_tiny_en", "1"), ("latency", "cpu", "whisper_base", "1"),
        ("energy", "cpu", "whisper_tiny_en", "16"), ("energy", "cpu", "whisper_base", "16"),
    ]  # fmt: skip


def test_each_device_has_its_front():
    found = members(section(points(TINY, GPU_TINY, BASE, batches=(1,))))
    assert ("latency", "cuda:0", "whisper_tiny_en", "1") in found
    assert ("latency", "cpu", "whisper_tiny_en", "1") in found


def test_a_better_and_faster_system_stands_alone():
    best = replace(TINY, wer=0.01)
    assert {row[2] for row in members(section(points(best, BASE, batches=(1,))))} == {
        "whisper_tiny_en"
    }


def test_unknown_wer_is_counted_and_named_in_the_caption(made: Section):
    drawn = figures(made)
    assert "wav2vec2 (5 points: random weights have no WER)" in drawn["pareto-rtfx"].caption
    assert "wav2vec2 (1 point: random weights have no WER)" in drawn["pareto-latency"].caption
    models = {mark.keys.get("model") for figure in drawn.values() for mark in figure.marks.values()}
    assert models == {"whisper_tiny_en", "whisper_base", None}  # None: the step line


def test_no_wer_at_all_is_a_sentence():
    found = section(points(WAV2VEC2))
    assert not figures(found)
    assert "WER is not known of any point" in words(found)
    assert "No point was measured" in words(section([]))


def test_no_energy_is_a_sentence():
    made = section(without(points(TINY, batches=(1,)), "energy/"))
    assert set(figures(made)) == {"pareto-rtfx", "pareto-latency"}
    assert "No front of WER against energy" in words(made)


def test_no_batch_1_no_front_of_latency():
    made = section(points(TINY, batches=(2,)))
    assert "No front of WER against latency: no point at batch 1 has both." in words(made)


def test_latency_is_the_median_and_a_mean_where_there_is_none_and_says_so(made: Section):
    few = points(BASE, lengths=(5.0,), batches=(1,), calls=3)
    found = section([*points(TINY, lengths=(5.0,), batches=(1,)), *few])
    caption = figures(found)["pareto-latency"].caption
    assert (
        "Latency is the median of a call's time, but the mean for 1 of 2 points, "
        "whose calls are too few"
    ) in caption
    assert {line[2] for line in members(found) if line[0] == "latency"} == {
        "whisper_tiny_en",
        "whisper_base",
    }
    cells = [
        row.cells[6]
        for row in tables(found)["pareto-members"].rows
        if row.cells[2].text == "whisper_base"
    ]
    assert {cell.text for cell in cells} == {f"{1000 * BASE.call(5.0, 1):.0f}"}
    assert all("The mean: 3 calls" in cell.note for cell in cells)
    assert "Latency is the median of a call's time. " in figures(made)["pareto-latency"].caption
    assert "Latency is" not in figures(made)["pareto-rtfx"].caption


def test_audio_that_was_left_out_is_said():
    found = points(TINY, batches=(1,))
    cut = [replace(p, cautions=(caution("TruncatedAudio", seconds=1.0),)) for p in found]
    assert "so speed is overstated: whisper_tiny_en." in words(section(cut))
    assert "overstated" not in words(section(found))


def test_synthetic_speech_other_lengths_and_estimates_are_said(made: Section):
    guessed = {"tags": {"energy/method": "estimated"}, "synthetic": True, "copies": 1}
    said = words(section([replace(p, **guessed) for p in points(TINY, batches=(1,))]))
    assert "WER of synthetic speech compares systems with each other only" in said
    assert "1 copy of them, slower, faster or noisier" in said
    assert "There is no front of joules where power was not measured." in said
    assert "no front of joules" not in words(made)
    assert "All are of one length, 15 s. Other lengths (5 s, 30 s, 60 s) are not shown." in said
    assert "synthetic" not in words(made)


@pytest.mark.parametrize("change", [{"intervals": {}}, {"length_s": None}, {"batch": 1}])
def test_partial_data_is_drawn(change: dict[str, Any]):
    assert figures(
        section([replace(p, **change) for p in points(TINY, lengths=(5.0,), batches=(1, 2))])
    )


def test_faultless_systems_are_drawn():
    assert figures(
        section(
            [
                replace(p, values={**p.values, "quality/wer": 0.0}, intervals={})
                for p in points(TINY, batches=(1,))
            ]
        )
    )


class TestReference:
    def test_the_length_at_which_most_systems_were_measured(self):
        found = [*points(TINY, lengths=(5.0, 60.0)), *points(BASE, lengths=(60.0,))]
        assert reference_length(found) == 60.0
        assert {point.length_s for point in at(found, 60.0)} == {60.0}
        assert len(at(found, 60.0)) == 10

    def test_ties_go_to_the_nearest_to_15_s(self):
        assert reference_length(points()) == 15.0
        assert reference_length(points(lengths=(10.0, 20.0))) == 10.0
        assert reference_length(points(lengths=(None, 60.0))) == 60.0

    def test_points_that_failed_do_not_count(self):
        tiny = [p for p in points() if p.system == "whisper_tiny_en"]
        found = [
            replace(p, status="failed") if p in tiny and p.length_s == 15.0 else p for p in points()
        ]
        assert reference_length(found) == 5.0
        assert all(point.ok for point in at(found, 15.0))

    def test_natural_lengths(self):
        found = points(lengths=(None,))
        assert reference_length(found) is None
        assert at(found, None) == found
        assert reference_length([]) is None
