"""docs/results.md and docs/optimise.md stand on committed records:
all that they quote is computed from them again."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from asr_scaling.analysis.format import with_interval
from asr_scaling.analysis.load_points import points
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.core.record import RunRecord
from asr_scaling.records.read import each_record
from asr_scaling.report.build import document
from asr_scaling.report.output.markdown import markdown

DOCS = Path(__file__).parents[2] / "docs"
MACHINES = sorted(path.parent for path in DOCS.glob("results/*/records.jsonl.gz"))
PAGE = (DOCS / "results.md").read_text(encoding="utf-8")
OPTIMISE = (DOCS / "optimise.md").read_text(encoding="utf-8")
ARTEFACTS = "The same model and speech, with the study's mistakes and without"
TABLE = re.compile(r"^\*\*(?P<caption>.+)\*\*\n\n(?P<rows>(?:\|.*\n)+)", re.MULTILINE)


def name(folder: Path) -> str:
    return folder.name


def made(folder: Path) -> str:
    found = points([str(folder / "records.jsonl.gz")])
    return markdown(document(found, Budgets()))


@pytest.fixture(scope="module")
def reports() -> dict[str, str]:
    return {folder.name: made(folder) for folder in MACHINES}


def test_there_are_results() -> None:
    assert MACHINES


@pytest.mark.parametrize("folder", MACHINES, ids=name)
def test_the_report_is_that_of_its_records(folder: Path, reports: dict[str, str]) -> None:
    assert (folder / "report.md").read_text(encoding="utf-8") == reports[folder.name]
    for picture in re.findall(r"\]\((figures/[\w.-]+)\)", reports[folder.name]):
        assert (folder / picture).exists()


def test_every_table_of_the_pages_is_one_of_a_report_or_of_the_artefacts_or_some_of_its_rows(
    reports: dict[str, str],
) -> None:
    known = [
        (found["caption"], lines(found))
        for text in reports.values()
        for found in TABLE.finditer(text)
    ]
    known += [(caption, rows.splitlines()) for caption, rows in artefact_tables().items()]
    for page, fewest in ((PAGE, 8), (OPTIMISE, 1)):
        quoted = list(TABLE.finditer(page))
        assert len(quoted) >= fewest
        for found in quoted:
            head, *rows = lines(found)[1:]
            assert any(
                found["caption"] == caption
                and lines(found)[0] == whole[0]
                and head == whole[1]
                and set(rows) <= set(whole)
                for caption, whole in known
            ), found["caption"]
        assert page.count("\n| :---") == len(
            quoted
        )  # no table without its caption, and so none unchecked


def lines(found: re.Match[str]) -> list[str]:
    return found["rows"].splitlines()


def test_the_answer_is_quoted_from_the_report(reports: dict[str, str]) -> None:
    answers = [re.findall(r"## Answer\n\n(.+)\n", text)[0] for text in reports.values()]
    assert any(answer in " ".join(PAGE.split()) for answer in answers)


def artefact_tables() -> dict[str, str]:
    """What the study's mistakes cost, from runs that make them on purpose."""
    tables = {}
    for folder in MACHINES:
        file = folder / "artefacts.jsonl.gz"
        records = [record for record, _ in each_record(file)] if file.exists() else []
        if records:
            head = (
                "| System | Speech | Given (s) | Processed (s) | WER (%) |\n"
                "| :--- | :--- | ---: | ---: | ---: |\n"
            )
            tables[ARTEFACTS] = head + "".join(map(row, records))
    return tables


def row(record: RunRecord) -> str:
    values = record.values
    seconds = (f"{values[f'workload/{name}_s']:.0f}" for name in ("audio", "processed_audio"))
    wer = with_interval(values["quality/wer"], record.intervals.get("quality/wer"), 100)
    return f"| {' | '.join((record.config['model']['name'], what(record), *seconds, wer))} |\n"


def what(record: RunRecord) -> str:
    if not record.config["engine"].get("long_form", True):
        return "60 s, only the first window transcribed"
    if record.config["dataset"]["path"].endswith("_cut"):
        return "cut at 5 s, references whole"
    length = record.config["dataset"]["length_s"]
    return "whole utterances" if length is None else f"{length:g} s, to its end"


def test_nothing_names_where_it_was_made() -> None:
    for folder in MACHINES:
        files = (folder / "records.jsonl.gz", folder / "artefacts.jsonl.gz")
        for record, _ in itertools.chain.from_iterable(
            each_record(file) for file in files if file.exists()
        ):
            assert not str(record.config["dataset"]["path"]).startswith("/")
            assert not str(record.dataset["source"]).startswith("/")
