"""The page as text: self-contained, escaped, and its drawings say what their marks are about."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from support.pages import EVIL, document, figure, points, table

from asr_scaling.report.document import Cell, Document, Row, Section, Table
from asr_scaling.report.output.html import page
from asr_scaling.report.output.svg import drawn, inlined

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Elements in their order as (tag, attributes, their own text)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[int] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.open.append(len(self.found) - 1)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.found[self.open.pop()][0] == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))

    def handle_data(self, data: str) -> None:
        if self.open:
            self.found[self.open[-1]][2].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, "".join(text)) for name, attributes, text in self.found if name == tag]


def made(whole: Document) -> str:
    found = [
        block for section in whole.sections for block in section.blocks if hasattr(block, "drawing")
    ]
    return page(whole, {each.name: drawn(each) for each in found})


def alone(rows: tuple[Row, ...]) -> Document:
    return Document(
        "t",
        "s",
        (Section("points", "p", (Table("points", "all", table(points()).columns, rows),)),),
    )


@pytest.fixture(scope="module")
def text() -> str:
    return made(document())


@pytest.fixture(scope="module")
def reader(text: str) -> Reader:
    return Reader(text)


def test_elements_are_nested_and_every_id_is_the_only_one(reader: Reader) -> None:
    assert reader.open == []
    ids = Counter(attributes["id"] for _, attributes, _ in reader.found if "id" in attributes)
    assert {name: count for name, count in ids.items() if count > 1} == {}
    assert {"answer", "figures", "points", "time-0", "other-0"} <= set(ids)


def test_what_a_drawing_refers_to_is_in_it(text: str, reader: Reader) -> None:
    ids = {attributes.get("id") for _, attributes, _ in reader.found}
    used = re.findall(r"url\(#([^)]+)\)", text) + [
        str(attributes["href"])[1:] for attributes, _ in reader.all("use") + reader.all("a")
    ]
    assert any(name.startswith("time--") for name in used)
    assert set(used) <= ids


def test_nothing_comes_from_elsewhere(text: str, reader: Reader) -> None:
    sources = [
        value
        for _, attributes, _ in reader.found
        for key, value in attributes.items()
        if key in ("src", "href")
    ]
    assert sources
    assert all(str(value).startswith(("#", "data:")) for value in sources)
    assert not re.search(r"@import|url\((?!#)", text)
    (policy,) = (
        a["content"]
        for a, _ in reader.all("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert str(policy).startswith("default-src 'none'")
    assert "unsafe-inline" not in str(policy).partition("script-src")[2]


def test_text_from_records_is_text(text: str, reader: Reader) -> None:
    assert "<script>alert" not in text
    assert "<b>b</b>" not in text
    assert len(reader.all("script")) == 1
    shown = [
        content
        for tag in ("h1", "h2", "p", "figcaption", "title")
        for _, content in reader.all(tag)
    ]
    assert sum(EVIL in content for content in shown) >= 5


def test_the_two_marks_of_text(reader: Reader) -> None:
    assert [content for _, content in reader.all("strong")] == ["whisper_base", "thing", "note"]
    assert "batch=4" in [content for _, content in reader.all("code")]


def test_marks_say_what_they_are_about(reader: Reader) -> None:
    marks = {str(a["id"]): a for a, _ in reader.all("g") if a.get("class") == "mark"}
    assert len(marks) == 2 * (2 + 8)
    line, point = marks["time-0"], marks["time-1"]
    assert {key: value for key, value in line.items() if str(key).startswith("data-")} == {
        "data-model": "whisper_tiny_en"
    }
    assert {
        str(key)[5:]: value for key, value in point.items() if str(key).startswith("data-")
    } == points()[0].keys
    titles = [content for _, content in reader.all("title")]
    assert f"{points()[0].name} {EVIL}" in titles


def test_a_drawings_own_style_stays_out_of_the_page() -> None:
    found = figure(points())
    assert "<style" in drawn(found)
    assert "<style" not in inlined(drawn(found), found)
    assert inlined(drawn(found), found) == inlined(drawn(found), found)


def test_rows_carry_their_keys_and_cells_their_order(reader: Reader) -> None:
    rows = [a for a, _ in reader.all("tr") if "data-batch" in a]
    assert [{str(key)[5:]: value for key, value in a.items()} for a in rows] == [
        p.keys for p in points()
    ]
    cells = [a for a, _ in reader.all("td")]
    assert [a.get("data-sort") for a in cells[-6:]] == [
        "whisper_base",
        "1",
        "6.5",
        "whisper_base",
        "4",
        None,
    ]
    assert cells[-1]["title"] == "not | measured"


def test_the_filter_offers_what_differs_in_order(reader: Reader) -> None:
    groups = [str(a["data-key"]) for a, _ in reader.all("details") if "data-key" in a]
    assert groups == ["model", "length", "batch"]  # one device: nothing to choose
    values = [str(a["data-value"]) for a, _ in reader.all("button") if "data-value" in a]
    assert values == ["whisper_tiny_en", "whisper_base", "5 s", "30 s", "1", "4"]


def test_lengths_are_offered_by_size_and_natural_ones_last() -> None:
    cells = table(points()).rows[0].cells
    rows = tuple(
        Row(cells, {"length": length}) for length in ("natural", "60 s", "5 s", "7.5 s", "15 s")
    )
    reader = Reader(made(alone(rows)))
    values = [str(a["data-value"]) for a, _ in reader.all("button") if "data-value" in a]
    assert values == ["5 s", "7.5 s", "15 s", "60 s", "natural"]


def test_a_long_table_is_data() -> None:
    name, batch, time = table(points()).rows[1].cells
    row = Row((name, batch, time), points()[1].keys)
    reader = Reader(made(alone((Row((Cell(EVIL), batch, time), row.keys), *[row] * 500))))
    assert reader.open == []
    assert reader.all("td") == []
    (block,) = (
        content for a, content in reader.all("script") if a.get("type") == "application/json"
    )
    data = json.loads(block)
    assert len(data["rows"]) == 501
    assert data["keys"] == [dict(row.keys)]
    cells = data["rows"][0][1]
    assert [cell[1] for cell in cells] == [EVIL, 4, None]
    assert "<b>" not in cells[0][0]
    assert data["notes"][cells[2][2]] == "not | measured"
