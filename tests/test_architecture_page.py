"""docs/architecture.md and the folders' own words against the code."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import pytest

from asr_scaling.util.layers import LAYERS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "asr_scaling"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
GROUPS = ["model", "engine", "device", "dataset", "batch", "profiler", "tracking", "optimisation"]
GROUPS += ["vad", "punctuation", "speaker", "serving", "scenario", "cascade"]


def test_the_picture_is_that_of_the_code():
    drawing = runpy.run_path(str(ROOT / "scripts" / "draw_architecture.py"))
    assert drawing["picture"]() == drawing["PICTURE"].read_text(encoding="utf-8")


def test_every_path_of_the_page_is_there():
    paths = [path for path in re.findall(r"`([\w/]+(?:/|\.py))`", PAGE) if "<" not in path]
    assert len(paths) > 25
    for path in paths:
        assert (PACKAGE / path.removeprefix("asr_scaling/")).exists() or (ROOT / path).exists(), (
            path
        )


def test_fourteen_questions_have_answers_that_are_files():
    rows = re.findall(r"^\| (.+\?) \| (.+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 14
    assert all(re.search(r"`[\w/<>]+\.py`", answer) for _, answer in rows)


def allowed(row: int) -> list[str]:
    """The parts that a part of ``row`` may import, all of the groups told in two words."""
    names = [part for above in LAYERS[:row] for part in above]
    if set(GROUPS) <= {*names}:
        first = names.index(GROUPS[0])
        names = [*names[:first], "the groups", *(n for n in names[first:] if n not in GROUPS)]
    return names


@pytest.mark.parametrize(
    ("row", "part"),
    [
        (row, part)
        for row, parts in enumerate(LAYERS)
        for part in parts
        if (PACKAGE / part).is_dir()
    ],
)
def test_a_folder_says_in_two_sentences_what_it_holds_and_imports(row: int, part: str):
    text = ast.get_docstring(
        ast.parse((PACKAGE / part / "__init__.py").read_text(encoding="utf-8"))
    )
    assert text is not None
    holds, imports = (" ".join(each.split()) for each in text.split("\n\n"))
    assert len(holds) > 20
    may = f"May import {', '.join(allowed(row))}."
    assert imports == (may if allowed(row) else "Imports nothing else of this package.")


PROSE = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "conf").rglob("*.yaml")),
    *sorted(PACKAGE.rglob("*.py")),
]


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_prose_names_are_there(path: Path):
    """By their last two names at least: ``core/metrics.py``, ``docs/method.md``."""
    named = re.findall(
        r"(?<![\w./-])((?:\w+/)+\w+\.(?:py|md|yaml))\b", path.read_text(encoding="utf-8")
    )
    lost = [name for name in named if not any(file.endswith(f"/{name}") for file in FILES)]
    assert [name for name in lost if name.partition("/")[0] not in FOREIGN] == []


PARTS = ("asr_scaling", "conf", "tests", "docs", "scripts", "benchmarks", "hydra_plugins")
FILES = [file.as_posix() for top in PARTS for file in (ROOT / top).rglob("*.*")]
FOREIGN = {"python", "whisper", "my", "one", "other", "that", "multirun"}
"""First folders of paths of other programs, and of made-up ones in examples."""


def test_the_tree_of_the_readme_names_every_folder_of_the_package():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\n(conf/.*?)```", readme, re.DOTALL)
    for folder in PACKAGE.iterdir():
        if (folder / "__init__.py").exists():
            assert f"{folder.name}/" in tree, folder.name


def test_the_index_of_the_decisions_has_every_one_of_them():
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    index, body = text.partition("\n## ")[::2]
    groups = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", index, re.MULTILINE)
    entries = re.findall(r"^   - (\d+\.\d+ .+)$", index, re.MULTILINE)
    assert entries == re.findall(r"^### (.+)$", body, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", f"## {body}", re.MULTILINE)
    assert [f"{number} {name}" for number, name, _ in groups] == headings
    links = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
    assert [link for _, _, link in groups] == [f"#{link}" for link in links]
