"""The report as Markdown: structure kept, text escaped,
what the page shows on demand written out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pages import EVIL, document, points, table

from asr_scaling.report.document import Cell, Column, Document, Row, Section, Table, Text
from asr_scaling.report.output.markdown import MOST_ROWS, markdown
from asr_scaling.report.output.text_marks import pieces, unmarked


def one(*blocks: object) -> str:
    return markdown(Document("t", "s", (Section("a", "A", blocks),)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return markdown(document()).splitlines()


def test_sections_in_order_with_contents(lines: list[str]) -> None:
    headings = [line for line in lines if line.startswith("#")]
    assert [heading.split()[1] for heading in headings] == ["Report", "Answer", "Figures", "All"]
    assert '<a id="answer"></a>' in lines
    assert "- [Figures](#figures)" in lines


def test_figures_are_files_beside_it(lines: list[str]) -> None:
    assert '![A "figure" \\<of> points](figures/time.svg)' in lines
    assert sum("([png](figures/other.png))" in line for line in lines) == 1


def test_commands_are_as_they_are(lines: list[str]) -> None:
    place = lines.index("python -m asr_scaling model='a b' && echo <x>")
    assert (lines[place - 1], lines[place + 1]) == ("```sh", "```")


def test_tables(lines: list[str]) -> None:
    place = lines.index("| System | Batch | Time (ms) |")
    assert lines[place - 2] == "**All of points**"
    assert lines[place + 1 : place + 4] == [
        "| :--- | ---: | ---: |",
        "| whisper_tiny_en | 1 | 0.5 ± 1 |",
        "| whisper_tiny_en | 4 | – |",
    ]
    notes = lines[place + 11 : place + 14]
    assert notes == ["- A **note** below.", "- Time: of a call.", "- –: not | measured (4 cells)"]


def test_the_marks_are_kept_and_everything_else_is_text(lines: list[str]) -> None:
    (line,) = (line for line in lines if line.startswith("Use "))
    assert line.startswith(
        "Use **whisper_base** with `batch=4`. \\</script>\\<script>alert('x')\\</script>"
    )
    assert "\\[a\\](b)" in line
    assert "- One **thing**" in lines
    assert "- 1\\. another" in lines


def test_a_pipe_never_ends_a_cell() -> None:
    rows = (Row((Cell(EVIL), Cell("`a|b`"))),)
    text = one(Table("x", "x", (Column("a | b"), Column("c")), rows))
    for line in (line for line in text.splitlines() if line.startswith("|")):
        assert len(re.findall(r"(?<!\\)\|", line)) == 3


def test_a_long_table_is_cut_and_says_so() -> None:
    base = table(points())
    text = one(Table("x", "x", base.columns, (base.rows[0],) * (MOST_ROWS + 7)))
    assert text.count("whisper_tiny_en") == MOST_ROWS
    assert "- 7 more rows are in the page and in metrics.csv." in text


@pytest.mark.parametrize("text", ["# a", "> a", "- a", "+ a", "1. a", "12) a", "= a"])
def test_a_paragraph_stays_one(text: str) -> None:
    assert re.search(r"^\d*\\", one(Text(text)).splitlines()[-1])


@given(st.text(alphabet="ab*`_ \n|<>\\", max_size=40))
def test_marks_are_all_that_is_lost(text: str) -> None:
    found = list(pieces(text))
    assert all(piece for _, piece in found)
    marks = {"plain": "", "bold": "**", "code": "`"}
    assert "".join(f"{marks[kind]}{piece}{marks[kind]}" for kind, piece in found) == text
    assert unmarked(text) == "".join(piece for _, piece in found)
