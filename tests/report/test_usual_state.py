"""Figures at the machine's usual state: they rank and are drawn, and what was measured stays."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support import reading
from support.reading import at_usual, column, row, tables, words
from support.studies import BASE, TINY, Law

from asr_scaling.analysis.laws import TIME, batch_laws, length_laws
from asr_scaling.analysis.pareto import RTFX_AXIS
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.scenarios import Budgets, recommend
from asr_scaling.analysis.size_laws import SECONDS
from asr_scaling.analysis.stars import SPEED
from asr_scaling.report import recommendations as answer
from asr_scaling.report.bottlenecks import section as bottlenecks
from asr_scaling.report.build import all_points
from asr_scaling.report.cells import figure, ratio
from asr_scaling.report.method import section as method
from asr_scaling.report.output.axes_style import value_of
from asr_scaling.report.output.csv_file import write_csv
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.pareto import section as pareto
from asr_scaling.report.scaling import section as scaling
from asr_scaling.report.study.section import section as study

RTFX = "throughput/rtfx"


@pytest.fixture(scope="module")
def points() -> list[Point]:
    """Tiny twice as fast as base; but at the usual state base would be four times as fast."""
    return measured(BASE)


def measured(base: Law) -> list[Point]:
    made = reading.points(TINY, base, lengths=(5.0, 15.0), batches=(1, 2))
    return [at_usual(p, 4.0) if p.system == "whisper_base" else p for p in made]


def best(points: Sequence[Point], scenario: str = "Throughput") -> str:
    (found,) = [r for r in recommend(points, Budgets()) if r.scenario == scenario]
    assert found.winner is not None
    return found.winner.system


def raw(points: Sequence[Point]) -> list[Point]:
    return reading.without(points, "usual/")


def test_what_is_recommended_is_the_fastest_at_the_usual_state():
    points = measured(replace(BASE, wer=TINY.wer))
    assert best(points) == "whisper_base"
    assert best(raw(points)) == "whisper_tiny_en"
    assert "at the usual state" in words(answer.section(points, Budgets(), Style.of(points)))


def test_a_bound_on_rtfx_is_one_at_the_usual_state(points: list[Point]):
    base = [p for p in points if p.system == "whisper_base"]
    bound = 1.5 * max(p.values[RTFX] for p in base)
    (live,) = [r for r in recommend(base, Budgets(min_rtfx=bound)) if r.scenario == "Real time"]
    (was,) = [r for r in recommend(raw(base), Budgets(min_rtfx=bound)) if r.scenario == "Real time"]
    assert live.winner is not None
    assert was.winner is None


def test_stars_and_fronts_go_by_it(points: list[Point]):
    one = [p for p in points if (p.length_s, p.batch) == (15.0, 1)]
    assert SPEED.best(one).system == "whisper_base"
    assert SPEED.best(raw(one)).system == "whisper_tiny_en"
    assert [p.system for p in RTFX_AXIS.fronts(one)["cpu"]] == ["whisper_base"]
    assert len(RTFX_AXIS.fronts(raw(one))["cpu"]) == 2


def test_laws_are_fitted_to_it(points: list[Point]):
    base, was = points[-1], raw(points)[-1]
    for laws in (batch_laws, lambda found: length_laws(found, TIME)):
        ours, theirs = (
            [law for law in laws(p) if law.system == base.system] for p in (points, raw(points))
        )
        assert ours[0].fit.coefficients == pytest.approx(
            [c / 4 for c in theirs[0].fit.coefficients]
        )
    assert SECONDS.of(base) == pytest.approx((SECONDS.of(was) or 0.0) / 4)


def test_cells_figures_and_ratios_show_it_and_tell_what_was_measured(points: list[Point]):
    base, tiny = points[-1], points[0]
    cell = figure(base, RTFX)
    assert cell.sort == pytest.approx(4 * base.values[RTFX])
    assert f"At the machine's usual state; as it was: {base.values[RTFX]:.1f}." in cell.note
    assert "usual" not in figure(tiny, RTFX).note
    assert value_of(base, RTFX)[0] == cell.sort
    assert ratio(base, tiny, RTFX).sort == pytest.approx(4 * base.values[RTFX] / tiny.values[RTFX])


def test_the_table_of_all_points_has_both(points: list[Point]):
    (table,) = tables(all_points(points)).values()
    place = [each.heading for each in table.columns].index("RTFx")
    assert table.columns[place + 1].heading == "RTFx, usual state"
    shown, was = column(table, "RTFx, usual state"), column(table, "RTFx")
    assert shown[:4] == ["–"] * 4, "nothing is made up for those that have none"
    assert row(table, 4)["RTFx"].sort == points[4].values[RTFX]
    assert float(shown[4].split()[0]) == pytest.approx(4 * float(was[4].split()[0]), rel=0.05)
    assert any(note.startswith(f"{points[4].name}: RTFx") for note in table.notes)


def test_without_any_there_is_no_such_column_and_no_such_word(points: list[Point]):
    plain = raw(points)
    (table,) = tables(all_points(plain)).values()
    assert "usual" not in " ".join(each.heading for each in table.columns)
    style = Style.of(plain)
    for part in (answer.section(plain, Budgets(), style), pareto(plain, style), method(plain)):
        assert "usual state" not in words(part)


def test_every_part_that_ranks_or_fits_says_so(points: list[Point]):
    style = Style.of(points)
    for part in (answer.section(points, Budgets(), style), pareto(points, style), method(points)):
        assert "4 of 8 points have such figures" in words(part) or "at this machine" in words(part)
    assert "usual state" in words(scaling.section(points, style))
    assert any("usual state" in note for note in tables(study(points, style))["stars"].notes)


def test_stages_stand_beside_the_call_that_they_are_parts_of(points: list[Point]):
    part = bottlenecks.section(points, Style.of(points))
    found = tables(part)["stages"]
    base = next(p for p in points if p.system == "whisper_base")
    first = row(found, next(i for i, r in enumerate(found.rows) if r.cells[0].text == base.system))
    assert first["call"].sort == pytest.approx(1e3 * base.values["latency/mean_s"])


def test_the_csv_has_both_under_their_names(points: list[Point], tmp_path: Path):
    write_csv(points, tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1][RTFX]) == points[-1].values[RTFX]
    assert float(rows[-1][f"usual/{RTFX}"]) == pytest.approx(4 * points[-1].values[RTFX])
    assert rows[0][f"usual/{RTFX}"] == ""
    assert float(rows[-1][f"usual/{RTFX}.low"]) < float(rows[-1][f"usual/{RTFX}"])


def test_why_there_is_none_is_the_records_reason(points: list[Point]):
    why = "held-out blocks of calls are not explained"
    first = replace(points[0], unavailable={f"usual/{RTFX}": why})
    (table,) = tables(all_points([first, *points[1:]])).values()
    assert row(table, 0)["RTFx, usual state"].note == why
