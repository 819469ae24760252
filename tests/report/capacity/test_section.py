"""The section on requests that arrive: what stands in its sentences, tables and figure."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from support.queues import LATE, Server, asked, searched, served
from support.reading import column, figures, row, tables, words
from support.studies import BASE, TINY, record

from asr_scaling.analysis.capacity.curves import curves
from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.analysis.system_names import named
from asr_scaling.core.energy_methods import GUESSED
from asr_scaling.core.record import RunRecord
from asr_scaling.report import build
from asr_scaling.report.build import all_points, document, first_words
from asr_scaling.report.capacity.figure import load_figure
from asr_scaling.report.capacity.section import sections
from asr_scaling.report.document import Section
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.output.markdown import markdown

SERVER = Server(5.0)
REQUESTS = {"_target_": "asr_scaling.scenario.requests.Requests"}


def points(*records: RunRecord) -> list[Point]:
    return named(map(to_point, records))


def section(*records: RunRecord) -> Section:
    found = points(*records)
    (made,) = sections(found, Style.of(found))
    return made


def test_without_loads_there_is_no_section():
    found = points(record(TINY, None, 1))
    assert sections(found, Style.of(found)) == ()
    assert all(each.heading != "Requests" for each in all_points(found).blocks[0].columns)


def test_a_row_says_what_a_system_holds_what_it_costs_and_what_limits_it():
    table = tables(section(searched(SERVER)))["capacity"]
    assert "bound p99<2s, arrivals poisson" in table.caption
    found = {
        (c.heading, c.unit): cell
        for c, cell in zip(table.columns, table.rows[0].cells, strict=True)
    }
    assert found["Holds", "requests/s"].text == "2.70 ± 0.13"
    assert found["RTFx", "at capacity"].text == "13.49 ± 0.67"
    half = found["p99", "s, at half of it"]
    assert half.text == "1.151 ± 0.058"  # ln(100) / (5 - 1)
    assert half.note.endswith("At 1.00 requests/s.")
    assert found["WER", "%, under load"].text == "5.00 ± 0.25"
    assert found["Energy", "kJ/h, at half"].sort == pytest.approx(3.6 * (20 + 60 * 0.2) / 5)
    assert found["Energy", "kJ/h, at full"].sort == pytest.approx(3.6 * (20 + 60 * 0.4) / 10)
    assert found["Machine", "s/h, at full"].sort == pytest.approx(360)
    assert found["Limited by", ""].text == "cores"
    assert "At 4.00/s requests wait" in found["Limited by", ""].note


def test_what_holds_most_comes_first():
    made = section(searched(SERVER), searched(Server(9.0), serving="batched"))
    assert column(tables(made)["capacity"], "System") == [
        "whisper_tiny_en · serving=batched",
        "whisper_tiny_en · serving=direct",
    ]
    first, second = (line for line in words(made).splitlines() if " holds " in line)
    assert first.startswith("**whisper_tiny_en · serving=batched** holds 6.70")
    assert second.startswith("**whisper_tiny_en · serving=direct** holds 2.70 ± 0.13 requests/s")


def test_without_a_search_loads_say_what_they_can():
    made = section(asked(SERVER, 1.0), asked(SERVER, 4.0))
    cell = row(tables(made)["capacity"])["Holds"]
    assert cell.text == "≥ 1.00"
    assert "not kept at 4.00" in cell.note
    assert "scenario=capacity" in cell.note
    assert "kept p99<2s at 1.00 requests/s, and not at 4.00" in words(made)


def test_guessed_power_gives_no_energy():
    made = section(searched(SERVER, method=GUESSED))
    cells = [
        cell.text
        for c, cell in zip(
            tables(made)["capacity"].columns, tables(made)["capacity"].rows[0].cells, strict=True
        )
        if c.heading == "Energy"
    ]
    assert cells == ["–", "–"]
    assert set(column(tables(made)["loads"], "Energy")) == {"–"}


def test_every_load_has_a_row_with_its_verdict():
    table = tables(section(searched(SERVER, rates=(1.0, 1.0, 2.0, 4.0, 6.0))))["loads"]
    assert column(table, "Due") == ["1.00", "2.00", "4.00", "6.00"]
    assert column(table, "Requests") == ["1,000", "500", "500", "500"]
    assert column(table, "Verdict") == ["held", "held", "broken", "overloaded"]
    assert column(table, "p50")[0].startswith("0.173")


@pytest.mark.slow
def test_a_queue_of_half_of_the_loads_foretells_the_others():
    made = section(searched(SERVER, rates=(0.5, 1.0, 2.0, 3.0, 3.5, 4.0)))
    table = tables(made)["queue"]
    assert set(column(table, "Due")) == {"1.00", "3.00", "4.00"}
    errors = [abs(row(table, place)["Off by"].sort) for place in range(len(table.rows))]
    assert max(errors) < 15  # its times are exponential, the queue's lognormal
    assert "A queue fitted to half of the loads of whisper_tiny_en foretells p50 within" in words(
        made
    )
    assert "whisper_tiny_en at 0.500, 2.00, 3.50/s" in table.notes[0]


def test_few_loads_are_no_queue():
    assert "queue" not in tables(section(asked(SERVER, 1.0), asked(SERVER, 2.0)))


def test_closed_loads_stand_apart_and_are_called_so():
    loads = [SERVER.load(1.0), SERVER.closed(2), SERVER.closed(4)]
    made = section(served(loads, REQUESTS))
    assert column(tables(made)["loads"], "Due") == ["1.00"]
    closed = tables(made)["closed-loads"]
    assert column(closed, "Clients") == ["2", "4"]
    assert "closed loop" in closed.caption
    assert "with no other table here" in closed.notes[0]
    alone = section(served([SERVER.closed(2)], REQUESTS))
    assert set(tables(alone)) == {"closed-loads"}
    assert figures(alone) == {}


def test_withheld_loads_are_named_with_their_reason():
    made = section(served([SERVER.load(1.0), SERVER.withheld(6.0)], REQUESTS))
    assert f"whisper_tiny_en, 6.00 requests/s: {LATE}" in words(made)
    assert column(tables(made)["loads"], "Due") == ["1.00"]


def test_the_figure_has_the_curves_the_bound_and_the_capacities():
    other = searched(Server(9.0), rates=(1.0, 2.0, 8.0), serving="batched")
    drawn = figures(section(searched(SERVER), other))["load-curves"]
    titles = [mark.title for mark in drawn.marks.values()]
    assert "the bound: p99<2s" in titles
    assert "p99 of whisper_tiny_en · serving=direct" in titles
    assert "median of whisper_tiny_en · serving=batched" in titles
    assert "4.00 requests/s: p99 4.61 ± 0.23 s, broken" in titles
    holds = "whisper_tiny_en · serving=direct holds 2.70 ± 0.13 requests/s with p99<2s"
    assert holds in titles
    (axes,) = drawn.drawing.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names[0] == "serving=batched"


def test_curves_are_drawn_by_the_percentile_of_their_bound():
    short = replace(
        SERVER.load(2.0),
        bound="p95<2s",
        verdict="undecided",
        metrics=tuple(
            m
            for m in SERVER.load(2.0).metrics
            if m.name.rpartition("_p")[2] not in ("99_s", "95_s")
        ),
    )
    loads = [replace(SERVER.load(rate), bound="p95<2s") for rate in (1.0, 3.0)]
    drawn = figures(section(served([*loads, short], REQUESTS)))["load-curves"]
    titles = [mark.title for mark in drawn.marks.values()]
    assert "1.00 requests/s: p95 0.749 ± 0.037 s, held" in titles
    assert not any(title.startswith("2.00 requests/s") for title in titles)
    assert drawn.caption.startswith("Latency over load: 95th percentile of the time")
    assert drawn.caption.endswith("Loads of too few requests for it are in the table alone: 1.")


def test_the_report_says_first_what_holds_most():
    found = points(searched(SERVER), searched(Server(9.0), serving="batched"))
    made = document(found, Budgets())
    said = first_words(made)
    assert said.startswith(
        "For requests that arrive use whisper_tiny_en · serving=batched · cpu (holds 6.70 ± 0.33 "
        "requests/s with p99<2s; "
    )
    names = [each.name for each in made.sections]
    assert names[:2] == ["answer", "capacity"]


def test_what_holds_more_and_loses_too_much_is_said():
    made = document(points(searched(SERVER, law=BASE), searched(Server(9.0))), Budgets())
    (answer,) = (each for each in made.sections if each.name == "answer")
    assert first_words(made).startswith("For requests that arrive use whisper_base")
    assert "whisper_tiny_en · cpu is able to hold more (holds 6.70" in words(answer)


def test_all_points_say_which_requests_they_were_given():
    plain = record(BASE, None, 1)
    closed = served([SERVER.closed(2)], REQUESTS)
    found = points(searched(SERVER), asked(SERVER, 1.0), closed, plain)
    table = all_points(found).blocks[0]
    assert column(table, "Requests") == [
        "4 loads, poisson, p99<2s", "1.00 requests/s, poisson", "2 clients, closed", "none"
    ]  # fmt: skip


def test_every_load_is_in_a_file(tmp_path: Path):
    found = points(searched(SERVER), served([SERVER.withheld(6.0)], REQUESTS))
    files = build.write(document(found, Budgets()), found, tmp_path)
    assert tmp_path / "loads.csv" in files
    with (tmp_path / "loads.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [each["offered_per_s"] for each in rows] == ["0.5", "1.0", "2.0", "4.0", "6.0"]
    assert rows[3]["verdict"] == "broken"
    assert float(rows[3]["load/latency_p99_s"]) == pytest.approx(SERVER.percentile(4.0, 99))
    assert float(rows[3]["load/latency_p99_s.high"]) > float(rows[3]["load/latency_p99_s"])
    assert (rows[4]["load/latency_p99_s"], rows[4]["why"]) == ("", LATE)
    plain = points(record(TINY, None, 1))
    none = build.write(document(plain, Budgets()), plain, tmp_path / "none")
    assert not any(path.name == "loads.csv" for path in none)


def test_markdown_has_the_tables_and_their_reasons():
    found = points(searched(SERVER), served([SERVER.closed(2)], REQUESTS))
    text = markdown(document(found, Budgets()))
    assert "## What this machine holds" in text
    assert "**What each system holds" in text
    assert "Closed loop: a client that waits sends nothing" in text


def test_a_point_that_failed_and_has_no_loads_changes_nothing():
    failed = replace(record(TINY, None, 1), status="failed", reason="x", samples=(), metrics=())
    assert len(tables(section(searched(SERVER), failed))["capacity"].rows) == 1


def test_long_names_leave_room_for_the_curves():
    more = {f"serving.an_option_with_a_long_name_{n}": 123456.789 for n in range(4)}
    found = [
        replace(point, system=" · ".join((point.system, *(f"{k}={v}" for k, v in more.items()))))
        for point in points(searched(SERVER), searched(Server(9.0), serving="batched"))
    ]
    found[1] = replace(found[1], system=f"{found[1].system} · another · {'word ' * 30}")
    figure = load_figure(curves(found), Style.of(found))
    assert figure is not None
    axes, *_ = figure.drawing.axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert len(set(names)) == 2
    assert all("an_option" not in name for name in names)  # all share it
    assert "an_option_with_a_long_name_3=123456.789" in figure.caption
    figure.drawing.canvas.draw()
    assert axes.get_position().width > 0.7
