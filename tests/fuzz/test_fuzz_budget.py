"""That the fuzz tests are as many as they should be,
and that what they found is kept and explained."""

from __future__ import annotations

from pathlib import Path

from support.fuzzing import CASES

CORPUS = Path(__file__).parent / "corpus"


def test_at_least_ten_thousand_cases_are_drawn():
    assert sum(CASES.values()) >= 10_000


def test_every_share_has_its_test():
    text = "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_fuzz_*.py")
    )
    assert [name for name in CASES if f'"{name}",' not in text] == []


def test_whatever_was_found_is_explained():
    readme = (CORPUS / "README.md").read_text(encoding="utf-8")
    kept = [
        path.relative_to(CORPUS).as_posix()
        for path in CORPUS.rglob("*")
        if path.is_file() and path.name != "README.md"
    ]
    assert kept
    assert [name for name in kept if f"`{name}`" not in readme] == []
