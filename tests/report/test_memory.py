"""Memory by batch, from points and from the search for the largest batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.reading import points, row, tables
from support.studies import GPU_TINY, TINY

from asr_scaling.analysis.fits import Fit
from asr_scaling.analysis.memory_laws import memory_laws
from asr_scaling.analysis.points import Point
from asr_scaling.report.document import Cell
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.scaling import section as scaling

CURVE = (
    {"batch": 1, "peak_bytes": 300e6, "fits": True, "seconds": 1.0},
    {"batch": 4, "peak_bytes": 600e6, "fits": True, "seconds": 1.0},
    {"batch": 8, "peak_bytes": None, "fits": False, "seconds": 0.1},
    {"batch": 6, "peak_bytes": 800e6, "fits": True, "seconds": 1.0},
)


def line(found: list[Point]) -> dict[str, Cell]:
    """The row of the one law."""
    return row(tables(scaling.section(found, Style.of(found)))["memory-by-batch"])


def test_slope_from_the_points():
    (law,) = memory_laws(points(TINY, lengths=(15.0,)))
    assert isinstance(law.fit, Fit)
    assert law.fit.coefficients == pytest.approx((4 * 37_760_256, 60e6))
    assert law.largest is None


def test_a_search_for_the_largest_batch_goes_before_the_points():
    tags = {"batch/process": "a process of its own"}
    found = [
        replace(p, curve=CURVE, tags=tags) if p.batch == 16 else p
        for p in points(TINY, lengths=(15.0,))
    ]
    (law,) = memory_laws(found)
    assert isinstance(law.fit, Fit)
    assert law.fit.coefficients == pytest.approx((200e6, 100e6))
    assert (law.largest, law.fails) == (6, 8)
    cells = line(found)
    assert (cells["each utterance"].sort, cells["largest batch that fits"].text) == (
        pytest.approx(100),
        "6",
    )
    assert cells["smallest that does not fit"].note == ""


@pytest.mark.parametrize(
    ("limited_by", "text", "note"),
    [("memory", "6", ""), ("time", "≥ 6", "batch.seconds"), ("limit", "≥ 6", "batch.limit")],
)
def test_a_search_that_memory_did_not_end_says_so(limited_by: str, text: str, note: str):
    (point,) = points(TINY, lengths=(15.0,), batches=(6,))
    cell = line([replace(point, curve=CURVE, tags={"batch/limited_by": limited_by})])[
        "largest batch that fits"
    ]
    assert (cell.text, cell.sort) == (text, 6)
    assert note in cell.note
    assert bool(cell.note) == bool(note)


def test_a_batch_that_was_not_tried_says_so():
    (point,) = points(TINY, lengths=(15.0,), batches=(6,))
    foretold = [{**entry, "tried": entry["fits"]} for entry in CURVE]
    cell = line([replace(point, curve=tuple(foretold))])["smallest that does not fit"]
    assert (cell.text, cell.note) == ("8", "Foretold by smaller batches, not tried.")


def test_on_an_accelerator_its_own_memory_counts():
    found = [
        replace(p, values={**p.values, "memory/peak_device_bytes": 1e9 + 1e8 * p.batch})
        for p in points(GPU_TINY, lengths=(15.0,))
    ]
    (law,) = memory_laws(found)
    assert isinstance(law.fit, Fit)
    assert law.fit.coefficients == pytest.approx((1e9, 1e8))


def test_a_batch_that_did_not_fit_is_named():
    found = [
        replace(p, status="out_of_memory") if p.batch == 16 else p
        for p in points(TINY, lengths=(15.0,))
    ]
    (law,) = memory_laws(found)
    assert law.fails == 16
    assert law.peaks[-1][0] == 8


def test_peaks_above_the_idle_process_are_in_no_law_with_whole_ones():
    whole = points(TINY, lengths=(15.0,))
    old = [
        replace(p, values={"memory/peak_above_idle_bytes": p.values["memory/peak_rss_bytes"] - 1e8})
        for p in whole
    ]
    found = [*whole, *old]
    assert [len(law.peaks) for law in memory_laws(found)] == [len(whole)] * 2
    rows = tables(scaling.section(found, Style.of(found)))["memory-by-batch"].rows
    assert sorted("above the idle process" in row.cells[1].text for row in rows) == [False, True]
