"""Traces: files of the times at which requests were due, as CSV or JSONL."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from asr_scaling.core.option_checks import readable
from asr_scaling.errors import DataError
from asr_scaling.util.files import read_file

TIME, UTTERANCE = "time_s", "utterance"
_MOST_BYTES = 100_000_000
_FORM = f"a trace has {TIME}, seconds from its start, and may have {UTTERANCE}, an id"


@dataclass(frozen=True)
class TraceRow:
    """One request of a trace.

    line: its line in the file, from 1.
    time_s: when it is due, in seconds from the start.
    utterance: id of what it carries; None where the trace does not say.
    """

    line: int
    time_s: float
    utterance: str | None = None


def read_trace(path: Path) -> tuple[TraceRow, ...]:
    """The requests of a file: ``.csv`` with a header, or ``.jsonl`` with an object on each line.

    Raises DataError, which names the line, when it can't be read, has no request, or its times are
    no numbers, negative or falling.
    """
    with readable(f"The trace {path} can't be read", f"name a file as scenario.trace: {_FORM}"):
        data = read_file(path, _MOST_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text ({error}): {_FORM}.") from error
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise DataError(f"{path} must end in .csv or .jsonl: {_FORM}.")
    read = _csv if path.suffix.lower() == ".csv" else _jsonl
    rows = tuple(_row(path, line, values) for line, values in read(path, text))
    if not rows:
        raise DataError(f"{path} has no request: {_FORM}.")
    for before, row in pairwise(rows):
        if row.time_s < before.time_s:
            raise DataError(
                f"{path}, line {row.line}: {row.time_s:g} s comes after {before.time_s:g} s: sort "
                "the requests by their times."
            )
    return rows


def _csv(path: Path, text: str) -> Iterator[tuple[int, dict[Any, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if TIME not in (reader.fieldnames or ()):
        raise DataError(f"{path} has no column {TIME}: {_FORM}.")
    try:
        for values in reader:
            yield reader.line_num, values
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}: {_FORM}.") from error


def _jsonl(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    for line, row in enumerate(text.split("\n"), 1):
        if row.strip():
            try:
                yield line, json.loads(row)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, line {line} is no JSON ({error}): {_FORM}.") from error


def _row(path: Path, line: int, values: Any) -> TraceRow:
    if not isinstance(values, dict) or TIME not in values:
        raise DataError(f"{path}, line {line} has no {TIME}: {_FORM}.")
    given = values[TIME]
    try:
        time_s = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        time_s = math.nan
    if not 0 <= time_s < math.inf:
        raise DataError(f"{path}, line {line}: {TIME} must be 0 or more seconds; got {given!r}.")
    utterance = values.get(UTTERANCE)
    return TraceRow(line, time_s, None if utterance in (None, "") else str(utterance))
