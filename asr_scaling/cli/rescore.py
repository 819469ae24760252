"""``python -m asr_scaling rescore RECORDS…``: WER of the same texts by other normalisers."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asr_scaling.analysis.rescoring import Difference, differences, lacking, rescored, why_not
from asr_scaling.cli.arguments import Parser, add_store, run_verb, say_left_out
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import ConfigError, DataError
from asr_scaling.profiler.quality import NORMALISERS, check_normaliser
from asr_scaling.records.record_sources import records_of
from asr_scaling.tracking.jsonl import Jsonl

_ABOUT = """\
WER and CER of the texts that are in records, by other normalisers than they were measured with. No
model runs again. RECORDS are record.json files, folders of points or of sweeps, files of
tracking=jsonl, or mlflow:<run id or experiment name>. With two points or more on the same speech, a
table shows how much of the difference between them is the normaliser's."""
_EXITS = """\
Records are never changed; -o writes the scored ones into a new file, one JSON object a line, which
report, compare and recommend read.
Exit status: 0; 1 when a record can't be read or none has texts."""
_Scored = Mapping[str, RunRecord]
"""Name of a normaliser → the record scored by it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Score, print, and return the exit status."""
    return run_verb(parser(), _rescore, arguments)


def _rescore(options: argparse.Namespace) -> int:
    names = list(dict.fromkeys(options.normaliser)) or list(NORMALISERS)
    for name in names:
        check_normaliser("--normaliser", name)
    if options.output and (len(names) != 1 or not options.normaliser):
        raise ConfigError("-o writes the texts scored by one normaliser: add --normaliser NAME.")
    if options.output and Path(options.output).exists():
        raise ConfigError(f"'{options.output}' is there already: give -o the name of a new file.")
    records, notes = _with_texts(options)
    scored = [(record, {name: rescored(record, name) for name in names}) for record in records]
    called = _called(records)
    pairs = _pairs(scored, called)
    if options.output:
        for _, by in scored:
            Jsonl(options.output).write(by[names[0]], Path(), None)
        count = f"{len(scored)} record{'s' if len(scored) > 1 else ''}"
        notes.append(f"Written: {options.output} ({count} by {names[0]}).")
    if options.json:
        rows = [_row(each, own) for (_, own), each in zip(scored, called, strict=True)]
        result: dict[str, Any] = {"points": rows, "differences": pairs, "notes": notes}
        text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False, default=asdict)
        sys.stdout.write(text + "\n")
    else:
        from asr_scaling.cli.rescore_table import show

        show([(each, *both) for each, both in zip(called, scored, strict=True)], pairs, notes)
    return 0


def _with_texts(options: argparse.Namespace) -> tuple[list[RunRecord], list[str]]:
    """The records with texts, and what is to be said of the others and of parts.

    Raises ConfigError when none has texts.
    """
    records, notes = list[RunRecord](), list[str]()
    damaged, without = list[DataError](), dict[str, list[str]]()
    for source in options.records:
        for record, _ in records_of(source, options.tracking_uri, damaged=damaged):
            if why := why_not(record):
                without.setdefault(why, []).append(record.name)
                continue
            if part := lacking(record):
                notes.append(f"'{record.name}': {part}.")
            records.append(record)
    say_left_out(damaged)
    for why, names in without.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        notes.append(f"'{names[0]}'{more} left out: {why}.")
    if not records:
        raise ConfigError(f"No record has texts to score: {' '.join(notes)}")
    return records, notes


def _called(records: Sequence[RunRecord]) -> list[str]:
    """Names of the points, numbered where several have the same."""
    counts, seen = Counter(record.name for record in records), Counter[str]()
    called = list[str]()
    for record in records:
        seen[record.name] += 1
        several = counts[record.name] > 1
        called.append(f"{record.name} ({seen[record.name]})" if several else record.name)
    return called


def _pairs(
    scored: Sequence[tuple[RunRecord, _Scored]], called: Sequence[str]
) -> list[dict[str, Any]]:
    """The first point and each other one of the same speech, with their differences."""
    (first, by), *others = scored
    return [
        {"a": called[0], "b": name, "differences": _differences(first, by, other, own)}
        for name, (other, own) in zip(called[1:], others, strict=True)
        if other.dataset.get("digest") == first.dataset.get("digest")
    ]


def _differences(a: RunRecord, by_a: _Scored, b: RunRecord, by_b: _Scored) -> list[Difference]:
    return differences(a, b, {name: (by_a[name], by_b[name]) for name in by_a})


def _row(name: str, by: _Scored) -> dict[str, Any]:
    """One point as JSON: for each normaliser its label, its metrics and why one is missing."""
    scores = {
        normaliser: {
            "normaliser": record.tags.get("quality/normaliser"),
            "headline": record.tags.get("quality/headline", "wer"),
            "metrics": {
                m.name: m.to_json() for m in record.metrics if m.name.startswith("quality/")
            },
            "unavailable": {
                k: v for k, v in record.unavailable.items() if k.startswith("quality/")
            },
        }
        for normaliser, record in by.items()
    }
    return {"point": name, "by": scores}


def parser() -> Parser:
    """The options of ``rescore``."""
    parser = Parser("rescore", _ABOUT, _EXITS)
    parser.add_path("records", metavar="RECORDS", nargs="+", help="what holds the texts")
    parser.add_argument(
        "--normaliser",
        action="append",
        default=[],
        metavar="NAME",
        help=f"{', '.join(NORMALISERS)}; repeatable; all of them by default",
    )
    parser.add_path(
        "-o", "--output", metavar="FILE", help="write the records scored by the one --normaliser"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_store(parser)
    return parser
