"""What docs/capacity.md says that machines hold is what the committed records say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from asr_scaling.core.record import RunRecord, choices
from asr_scaling.records.read import each_record

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "capacity.md").read_text(encoding="utf-8")
HEAD = (
    "| model | engine | optimisations | serving | holds requests/s | RTFx there | WER under load |"
)
RESULTS = sorted(DOCS.glob("results/*/capacity*/records.jsonl.gz"))


def tables() -> Iterator[list[str]]:
    """The rows of each table of what is held."""
    for part in PAGE.split(HEAD)[1:]:
        yield re.findall(r"^\| (?!--).*$", part.partition("\n\n")[0], re.MULTILINE)


def row(record: RunRecord) -> str:
    chosen = choices(record.config)
    rate, ends = (
        record.values.get("capacity/rate_per_s"),
        record.intervals.get("capacity/rate_per_s"),
    )
    near = [load for load in record.loads if "load/wer" in load.values]
    wer = f"{100 * near[-1].values['load/wer']:.1f} %" if near else "–"
    held = (
        "not known"
        if rate is None or ends is None
        else (f"{rate:.3g} ({ends.low:.3g} to {ends.high:.3g})")
    )
    rtfx = record.values.get("capacity/rtfx")
    parts = (
        record.config["model"]["name"],
        chosen["engine"],
        " + ".join(record.config.get("optimisation") or {}) or "–",
        serving(record),
        held,
        "–" if rtfx is None else f"{rtfx:.0f}",
        wer,
    )
    return f"| {' | '.join(parts)} |"


def serving(record: RunRecord) -> str:
    """Its name, with what a search tried of it."""
    own = record.config["serving"]
    more = [f"{key} {own[key]:g}" for key in ("max_batch", "max_wait_s") if own.get(key, 0) > 1e-9]
    name = choices(record.config)["serving"]
    told = [
        each for each in more if each not in ("max_batch 1", "max_batch 8" * (name == "batched"))
    ]
    return ", ".join((name, *told))


@pytest.mark.parametrize("rows", list(tables()), ids=["ljspeech", "demo"])
def test_every_row_is_one_of_a_record(rows: list[str]) -> None:
    known = {row(record) for path in RESULTS for record, _ in each_record(path) if record.loads}
    assert rows
    assert [each for each in rows if each not in known] == []
