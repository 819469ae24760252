"""What comes from records stays text: in the page, its scripts and drawings, in Markdown,
tables and terminals."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from markdown_it import MarkdownIt
from rich.console import Console
from support.chromium import chromium, needs_chromium
from support.studies import BASE, TINY, study

from asr_scaling.analysis.points import to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.cli.report import main
from asr_scaling.core.record import RunRecord
from asr_scaling.machine.environment import environment
from asr_scaling.report.build import all_points
from asr_scaling.report.document import Command, Document, Section
from asr_scaling.report.output.html import MOST_ROWS, page
from asr_scaling.report.output.markdown import markdown
from asr_scaling.report.terminal import points_table
from asr_scaling.sweep.progress import Display

EVIL = (
    "</script><script>window.ran=1</script><img src=x onerror=window.ran=1>\"'`$a$b$ [red]x[/] "
    "\x1b[31m\n# h | =1+1"
)
NAME = "<img src=x onerror=window.ran=1>$_{$[/]\x1b[31m"
FORMULA = '=HYPERLINK("http://evil")'
pytestmark = pytest.mark.filterwarnings("ignore:constrained_layout")  # names are long


def hostile(record: RunRecord, text: str, name: str = NAME) -> RunRecord:
    """``text`` wherever a record has words, ``name`` for what figures name."""
    config = {**record.config, "model": {**record.config["model"], "name": name}}
    transcripts = tuple(
        {**row, "id": text, "hypothesis": text, "reference": text} for row in record.transcripts
    )
    return replace(
        record,
        name=text,
        config=config,
        environment={**record.environment, "host": text, "cpu": text},
        system={**record.system, "model": {**record.system.get("model", {}), "name": name}},
        dataset={**record.dataset, "name": name, "source": text},
        cautions=tuple(replace(c, message=text, advice=text) for c in record.cautions),
        tags={**record.tags, "energy/method": text},
        transcripts=transcripts or ({"id": text, "hypothesis": text, "reference": text},),
        unavailable={"energy/total_j": text},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with one good and many hostile points, one of them failed, and its report."""
    folder = tmp_path_factory.mktemp("hostile")
    records = study((TINY, BASE), (5.0, 30.0), (1, 4))
    for i, record in enumerate(records):
        found = (
            record
            if i == 0
            else hostile(record, FORMULA if i == 1 else EVIL, FORMULA if i == 1 else NAME)
        )
        if i == len(records) - 1:
            found = replace(found, status="failed", reason=EVIL, metrics=())
        found.write(folder / f"{i}_point")
    assert main([str(folder), "--no-mlflow"]) == 0
    return folder / "report"


def test_the_page_has_no_element_that_a_record_wrote(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "<script>window.ran" not in page
    assert page.count("<script") == page.count("</script>")
    assert html.escape("<img src=x onerror=window.ran=1>") in page


def test_drawings_are_xml_without_scripts(folder: Path) -> None:
    found = list((folder / "figures").glob("*.svg"))
    assert found
    for path in found:
        tags = {element.tag.rpartition("}")[2] for element in ET.parse(path).iter()}
        assert not tags & {"script", "img", "foreignObject", "image"}, path


def test_markdown_keeps_its_lines(folder: Path) -> None:
    text = (folder / "report.md").read_text(encoding="utf-8")
    kinds = [
        token
        for block in MarkdownIt().enable("table").parse(text)
        for token in (block, *(block.children or ()))
    ]
    raw = [token.content for token in kinds if token.type.startswith("html")]
    assert [
        content for content in raw if not re.fullmatch(r"<a id=\"\w+\">|</a>", content.strip())
    ] == []
    assert not [
        token
        for token in kinds
        if token.type == "image" and "figures/" not in str(token.attrs["src"])
    ]


def test_a_command_can_not_leave_its_fence() -> None:
    line = "python -m asr_scaling model='x\n```\n<script>'"
    text = markdown(Document("t", "s", (Section("a", "A", (Command(line),)),)))
    assert f"````sh\n{line}\n````" in text


def test_no_cell_is_a_formula(folder: Path) -> None:
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows][1] == f"'{FORMULA}"
    for row in rows:
        words = [value for value in row.values() if not re.fullmatch(r"-?[\d.e+-]+", value)]
        assert not [value for value in words if value[:1] in ("=", "+", "-", "@")]


def test_the_terminal_is_not_painted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [RunRecord.read(path) for path in sorted(folder.parent.glob("*_point/record.json"))]
    display = Display([1.0] * len(records))
    for record in records:
        display.begin(record.name)
        display.stage("load")
        display.say(EVIL)
        display.end(record)
    display.close()
    display.results(records, "8 of 8 points", [EVIL])
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "[red]x[/]" in said.err
    assert points_table(records)


def test_a_live_line_takes_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Console, "is_terminal", True)
    display = Display([1.0])
    display.begin("[/] [red]x")
    display.stage("load")
    display.close()
    assert "[/] [red]x" in capsys.readouterr().err


def test_a_recommendation_has_no_line_that_a_record_wrote(tmp_path: Path) -> None:
    from asr_scaling.cli.recommend import main as recommend

    evil: dict[str, Any] = {"x: 1\nhydra: {job: 1}": "y\nhydra: {job: 2}"}
    for i, record in enumerate(study((TINY, BASE), (5.0,), (1, 4))):
        engine = {**record.config["engine"], **evil}
        config = {**record.config, "engine": engine, "seed": "1'\nhydra: {job: 3}"}
        model = {**config["model"], "path": "a\nhydra: {job: 4}"}
        here = {**record.environment, **environment()}
        replace(record, config={**config, "model": model}, environment=here).write(
            tmp_path / f"{i}_point"
        )
    assert recommend([str(tmp_path), "--length", "5", "-o", str(tmp_path / "out.yaml")]) == 0
    text = (tmp_path / "out.yaml").read_text()
    assert "hydra" not in yaml.safe_load(text)
    assert not re.search(r"^hydra:", text, re.MULTILINE)


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.mark.slow
@needs_chromium
def test_nothing_runs_in_a_browser(driver: Any, folder: Path) -> None:
    driver.get((folder / "report.html").as_uri())
    assert driver.execute_script("return window.ran") is None
    assert driver.execute_script("return document.images.length") == 0
    assert "<img src=x onerror=window.ran=1>" in driver.execute_script(
        "return document.body.textContent"
    )
    for drawing in (folder / "figures").glob("*.svg"):
        driver.get(drawing.as_uri())
        assert driver.execute_script("return window.ran") is None
    assert [entry for entry in driver.get_log("browser") if "Refused to" in entry["message"]] == []


@pytest.mark.slow
@needs_chromium
def test_nothing_runs_in_a_long_table(driver: Any, tmp_path: Path) -> None:
    """Its rows are JSON in a script element, which the page turns into cells."""
    (record,) = study((TINY,), (5.0,), (1,))
    rows = [replace(hostile(record, EVIL), started_at=float(i)) for i in range(MOST_ROWS + 1)]
    found = named(to_point(each) for each in rows)
    path = tmp_path / "report.html"
    path.write_text(page(Document(EVIL, EVIL, (all_points(found, [EVIL]),)), {}), encoding="utf-8")
    data = re.search(
        r'<script type="application/json">(.*?)</script>',
        path.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert data is not None
    assert len(json.loads(data[1])["rows"]) == len(rows)
    driver.get(path.as_uri())
    assert driver.execute_script("return window.ran") is None
    shown = driver.execute_script(
        "return document.querySelector('table[data-points] tbody').textContent"
    )
    assert "<img src=x onerror=window.ran=1>" in shown
