"""The section on bottlenecks: its tables and figures hold the laws of made-up studies,
and lack of data is said."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.reading import figures, points, row, tables, words
from support.studies import GPU_TINY, TINY, WAV2VEC2

from asr_scaling.analysis.bottlenecks.batch_pairs import batch_pairs
from asr_scaling.analysis.bottlenecks.roofline import spots
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.system_names import named
from asr_scaling.report.bottlenecks.figures import MOST_BARS, shown
from asr_scaling.report.bottlenecks.section import section
from asr_scaling.report.document import Bullets, Figure, Section, Table
from asr_scaling.report.output.drawing import Style

LENGTHS, BATCHES = (5.0, 60.0), (1, 2, 16)


def of(found: Sequence[Point]) -> Section:
    return section(found, Style.of(found))


def texts(table: Table, *identity: str) -> dict[str, str]:
    return {heading: cell.text for heading, cell in row(table, identity).items()}


@pytest.fixture(scope="module")
def usual() -> Section:
    return of(points(TINY, WAV2VEC2, lengths=LENGTHS, batches=BATCHES))


def test_it_begins_with_a_sentence_for_each_system(usual: Section):
    first = usual.blocks[0]
    assert isinstance(first, Bullets)
    assert [item.partition(":")[0] for item in first.items] == [
        "**whisper_tiny_en**",
        "**wav2vec2**",
    ]


def test_every_row_has_a_cell_for_every_column_and_every_slug_is_one(usual: Section):
    tables = [each for each in usual.blocks if isinstance(each, Table)]
    assert {len(each.cells) - len(found.columns) for found in tables for each in found.rows} == {0}
    names = [found.name for found in tables]
    assert names == ["promises", "advice", "stages", "operators", "roofline"]
    assert [each.name for each in usual.blocks if isinstance(each, Figure)] == [
        "stages",
        "operators",
        "roofline",
    ]


def test_the_table_of_stages_holds_the_law(usual: Section):
    """A call on 16 × 5 s takes 0.05 + 16 · (0.30 + 0.05) = 5.65 s, 60 % of it in the encoder."""
    found = texts(tables(usual)["stages"], "whisper_tiny_en", "cpu", "5", "16")
    assert (found["call"], found["encoder"], found["decoder"], found["text"]) == (
        "5,650",
        "3,390",
        "1,978",
        "–",
    )
    assert [each.keys["batch"] for each in tables(usual)["stages"].rows] == ["1", "16"] * 4


def test_the_table_of_advice_holds_what_it_was_derived_from(usual: Section):
    found = texts(tables(usual)["advice"], "whisper_tiny_en")
    shares = found["its share"], found["at most"], found["MFU"], found["bound by"], found["silence"]
    assert shares == ("60.0", "2.50", "70.0", "compute", "83.3")
    gain = 16 * TINY.call(5, 1) / TINY.call(5, 16)
    assert found["largest batch"] == f"{gain:.2f}"
    assert texts(tables(usual)["advice"], "wav2vec2")["silence"] == "–"


def test_bars_are_as_wide_as_the_shares_and_say_what_they_are(usual: Section):
    found = figures(usual)["stages"]
    small = found.drawing.axes[0]
    assert [bar.get_width() for bar in small.patches[:3]] == pytest.approx([5, 60, 35])
    titles = {mark.title for mark in found.marks.values()}
    assert "whisper_tiny_en, 5 s, batch 1: encoder 60.0 %" in titles
    assert {axes.get_title(loc="left") for axes in found.drawing.axes} == {"Batch 1", "Batch 16"}
    written = [each.get_text() for each in small.texts]
    assert "240" in written, "milliseconds of the encoder"
    assert "400 ms" in written, "of the call"


def test_one_batch_is_one_panel():
    assert len(figures(of(points(TINY, lengths=LENGTHS, batches=(4,))))["stages"].drawing.axes) == 1


def test_every_mark_is_found_in_the_picture(usual: Section):
    for name in ("stages", "operators", "roofline"):
        found, page = figures(usual)[name], io.StringIO()
        found.drawing.savefig(page, format="svg")
        assert [gid for gid in found.marks if f'id="{gid}"' not in page.getvalue()] == []


def test_a_spot_is_the_share_of_the_peak_over_the_intensity():
    encoder, decoder = spots(points(TINY, lengths=(5.0,), batches=(1,))[0])
    assert (encoder.stage, encoder.intensity, encoder.flop_per_s) == ("encoder", 40.0, 0.7 * 200e9)
    assert (decoder.stage, decoder.intensity, decoder.flop_per_s) == ("decoder", 0.6, 0.02 * 200e9)


def test_hardware_has_a_panel_each_and_what_is_left_out_is_said():
    found = points(TINY, GPU_TINY, lengths=LENGTHS, batches=BATCHES)
    assert len(figures(of(found))["roofline"].drawing.axes) == 2
    third = [replace(point, hardware="Third CPU") for point in found[:1]]
    drawing = figures(of(named([*found, *third])))["roofline"]
    assert len(drawing.drawing.axes) == 2
    assert "Left out: cpu (Third CPU)." in drawing.caption


def test_many_bars_are_drawn_at_one_length():
    found = points(lengths=(5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0, 90.0), batches=(1,))
    kept, said = shown(batch_pairs(found, Style.of(found).systems))
    assert {pair.small.length_s for pair in kept} == {15.0}
    assert len(kept) == 3
    assert said == "Only 15 s is drawn; the other lengths are in the table."
    assert said in figures(of(found))["stages"].caption
    assert len(tables(of(found))["stages"].rows) == 27
    many = [
        replace(found[0], system=f"s{i:02}", length_s=length)
        for i in range(30)
        for length in (5.0, 15.0)
    ]
    kept, said = shown(batch_pairs(many, Style.of(many).systems))
    assert [pair.small.system for pair in kept] == [f"s{i:02}" for i in range(MOST_BARS)]
    assert "24 smallest of 30 at 15 s" in said


def test_unknown_stages_have_a_colour_and_natural_lengths_a_name():
    made = [
        replace(point, values={**point.values, "stage/vad_s": 0.1})
        for point in points(TINY, lengths=(None,), batches=(1, 2))
    ]
    part = of(made)
    assert "natural" in {each.cells[2].text for each in tables(part)["stages"].rows}
    assert any("vad" in mark.title for mark in figures(part)["stages"].marks.values())


def test_what_was_not_measured_is_said():
    only = ("latency/mean_s", "throughput/rtfx")
    bare = [
        replace(p, values={name: p.values[name] for name in only}, intervals={})
        for p in points(lengths=LENGTHS)
    ]
    said = words(of(bare))
    assert "No stage was timed." in said
    assert "No operator was traced: profiler=all" in said
    assert "No roofline: " in said
    lacking = [
        replace(p, unavailable={"utilisation/mfu": "the engine shows no torch modules"})
        for p in bare
    ]
    assert "where the engine runs on torch (the engine shows no torch modules)." in words(
        of(lacking)
    )


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_measured_is_a_section_too(count: int):
    failed = [
        replace(point, status="failed", reason="no disk", values={})
        for point in points(TINY, lengths=LENGTHS)[:count]
    ]
    part = of(failed)
    assert (part.name, part.title) == ("bottlenecks", "Where the time goes")
    assert not any(isinstance(each, (Figure, Table)) for each in part.blocks)
