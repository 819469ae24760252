"""Manifests as people write them: each is read as exactly the utterances that were written, or
refused with the line that is wrong."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import tempfile
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from support.fuzzing import cases

from asr_scaling.dataset._manifest import read_manifest
from asr_scaling.errors import DataError

STORED = (
    "a.wav",
    "d/b.wav",
    "two words.wav",
    unicodedata.normalize("NFC", "café.wav"),
    unicodedata.normalize("NFD", "d/naïve.wav"),
    unicodedata.normalize("NFD", "für/für.wav"),
)


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    """A folder of audio, a link to it, and a file that is none of its business."""
    top = tempfile.TemporaryDirectory(prefix="fuzz-")
    for name in STORED:
        path = Path(top.name) / "speech" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (Path(top.name) / "outside.wav").write_bytes(b"x")
    (Path(top.name) / "way").symlink_to("speech")
    return top


@dataclass(frozen=True)
class Written:
    """An utterance, and how its line says so.

    times: seconds of its begin and end; None for the whole file.
    keys: what the line has beside audio, text and times.
    fault: what is wrong with the line, a name in ``FAULTS``.
    """

    audio: str
    path: str
    text: str
    times: tuple[float, float] | None
    keys: dict[str, Any]
    fault: str = ""


WAYS: tuple[Callable[[str], str], ...] = (
    lambda name: name,
    lambda name: f"./{name}",
    lambda name: f"d/../{name}",
    lambda name: name.replace("/", "\\"),
    lambda name: f"{place().name}/speech/{name}",
    lambda name: f"{place().name}/way/../way/{name}",
    lambda name: unicodedata.normalize("NFC", name),
    lambda name: unicodedata.normalize("NFD", name),
    lambda name: f"{place().name}/speech/{unicodedata.normalize('NFC', name)}",
)
TEXT = st.text("ab é'’\"“,;|#\\\u2028ж中", max_size=8).map(str.strip)
TIMES = st.none() | st.tuples(st.integers(0, 40), st.integers(1, 40)).map(
    lambda pair: (pair[0] / 4, (pair[0] + pair[1]) / 4)
)
LINES = st.builds(
    Written,
    st.sampled_from(STORED),
    st.sampled_from(range(len(WAYS))).map(str),
    TEXT,
    TIMES,
    st.just({}),
)
AUDIO_KEYS = ("audio", "audio_filepath", "path", "file_name", "wav")
TEXT_KEYS = ("text", "sentence", "transcript", "transcription", "normalized_text")
TIME_KEYS = (
    ("offset", "duration"),
    ("start", "end"),
    ("begin_time", "end_time"),
    ("start_ms", "end_ms"),
)
DRESS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.title,
    lambda key: f" {key} ",
    lambda key: key.replace("_", "-"),
)
FAULTS = {
    "missing": ("jsonl", "csv", "tsv"),
    "outside": ("jsonl", "csv", "tsv"),
    "negative": ("jsonl", "csv", "tsv"),
    "backwards": ("jsonl", "csv", "tsv"),
    "not a number": ("jsonl", "csv", "tsv"),
    "channel": ("jsonl", "csv", "tsv"),
    "language": ("jsonl", "csv", "tsv"),
    "fields": ("csv", "tsv"),
    "quote": ("csv",),
    "swallow": ("csv",),
    "key twice": ("jsonl",),
    "nan": ("jsonl",),
    "no text": ("jsonl",),
    "number": ("jsonl",),
    "two texts": ("jsonl", "csv", "tsv"),
    "same id": ("jsonl", "csv", "tsv"),
}


@dataclass(frozen=True)
class Style:
    """How a manifest is written.

    dress: number in ``DRESS``, of what is done to the keys.
    blank: blank lines before each line, by turns.
    quote: whether every field of a CSV is quoted.
    """

    kind: str
    audio: str
    text: str
    times: tuple[str, str]
    dress: int
    bom: bool
    end: str
    last: bool
    blank: tuple[int, ...]
    quote: bool


STYLES = st.builds(
    Style,
    st.sampled_from(["jsonl", "csv", "tsv"]),
    st.sampled_from(AUDIO_KEYS),
    st.sampled_from(TEXT_KEYS),
    st.sampled_from(TIME_KEYS),
    st.sampled_from(range(len(DRESS))),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.lists(st.integers(0, 2), min_size=1, max_size=3).map(tuple),
    st.booleans(),
)


def values(line: Written, number: int, style: Style) -> dict[str, Any]:
    """The keys of a line, plain."""
    path = WAYS[int(line.path)](line.audio)
    found: dict[str, Any] = {style.audio: path, style.text: line.text, "id": f"u{number}"}
    begin, end = line.times or (None, None)
    if line.fault == "backwards":
        begin, end = 3.0, 2.0 if style.times[1] != "duration" else -1.0
    found |= dict.fromkeys(style.times)
    if begin is not None and end is not None:
        unit = 1000 if style.times[0].endswith("_ms") else 1
        length = end - begin if style.times[1] == "duration" and line.fault == "" else end
        found |= {style.times[0]: begin * unit, style.times[1]: length * unit}
    other = next(key for key in TEXT_KEYS if key != style.text)
    changes: dict[str, dict[str, Any]] = {
        "missing": {style.audio: "z.wav"},
        "outside": {style.audio: "../outside.wav"},
        "negative": {style.times[0]: -1, style.times[1]: 2},
        "not a number": {style.times[0]: "1:30", style.times[1]: 100},
        "channel": {"channel": 1},
        "language": {"lang": "klingonese"},
        "nan": {style.times[0]: float("nan")},
        "number": {style.text: 5},
        "two texts": {other: f"{line.text} or not", style.text: line.text or "so"},
        "same id": {"id": "u0"},
    }
    found |= changes.get(line.fault, {})
    if line.fault == "no text":
        del found[style.text]
    return found


def of_json(lines: list[Written], style: Style) -> list[str]:
    texts = []
    for number, line in enumerate(lines):
        row = {DRESS[style.dress](key): v for key, v in values(line, number, style).items()}
        text = json.dumps(row, ensure_ascii=style.quote)
        if line.fault == "key twice":
            text = text[:-1] + f', "{DRESS[style.dress](style.text)}": "again"}}'
        texts.append(text)
    return texts


def of_table(lines: list[Written], style: Style) -> list[str]:
    rows = [values(line, number, style) for number, line in enumerate(lines)]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    out = [[DRESS[style.dress](key) for key in keys]]
    for line, row in zip(lines, rows, strict=True):
        cells = ["" if (value := row.get(key)) is None else str(value) for key in keys]
        out.append(cells + (["more"] if line.fault == "fields" else []))
    if style.kind == "tsv":
        return ["\t".join(cells) for cells in out]
    texts = []
    for cells, line in zip(out, [None, *lines], strict=True):
        buffer = io.StringIO()
        quoting = csv.QUOTE_ALL if style.quote else csv.QUOTE_MINIMAL
        csv.writer(buffer, lineterminator="", quoting=quoting).writerow(cells)
        text = buffer.getvalue()
        if line is not None and line.fault == "quote":
            text = f'{cells[0]},"and so it{text[len(cells[0]) :]}'
        texts.append(text)
    for number, line in enumerate(lines[:-1], start=1):
        if line.fault == "swallow":  # the quote that opens in one line closes in the next
            for index, said in ((number, '"he began'), (number + 1, 'she left"')):
                texts[index] = ",".join([out[index][0], said, *out[index][2:]])
    return texts


def manifest(lines: list[Written], style: Style) -> tuple[bytes, list[int]]:
    """The file, and the number of the line on which each utterance stands."""
    texts = of_json(lines, style) if style.kind == "jsonl" else of_table(lines, style)
    physical: list[str] = []
    numbers = []
    for index, text in enumerate(texts):
        physical += [""] * style.blank[index % len(style.blank)]
        physical.append(text)
        numbers.append(len(physical))
    data = style.end.join(physical) + (style.end if style.last else "")
    numbers = numbers[len(texts) - len(lines) :]
    return data.encode("utf-8-sig" if style.bom else "utf-8"), numbers


def read(data: bytes, style: Style) -> list[tuple[str, str, str, Any]] | str:
    """What is read: of every utterance its id, file, text and times; or the refusal."""
    root = Path(place().name) / "speech"
    path = root / f"manifest.{style.kind}"
    path.write_bytes(data)
    try:
        return [
            (
                e.id,
                os.path.realpath(e.audio),
                e.text,
                None if e.start_s is None else (pytest.approx(e.start_s), pytest.approx(e.end_s)),
            )
            for e in read_manifest(root)
        ]
    except DataError as error:
        return str(error)
    finally:
        path.unlink()


@cases("written manifests", lines=st.lists(LINES, min_size=1, max_size=4), style=STYLES)
def test_every_utterance_is_read_as_it_was_written(lines: list[Written], style: Style):
    root = os.path.realpath(Path(place().name) / "speech")
    expected = [
        (f"u{number}", os.path.join(root, line.audio), line.text, line.times)
        for number, line in enumerate(lines)
    ]
    assert read(manifest(lines, style)[0], style) == expected


@cases(
    "written manifests",
    lines=st.lists(LINES, min_size=2, max_size=4),
    style=STYLES,
    fault=st.sampled_from(list(FAULTS)),
    where=st.integers(1, 3),
)
def test_what_is_wrong_is_refused_with_its_line(
    lines: list[Written], style: Style, fault: str, where: int
):
    style = style if style.kind in FAULTS[fault] else replace(style, kind=FAULTS[fault][0])
    where = min(where, len(lines) - (2 if fault == "swallow" else 1))
    lines = [replace(line, fault=fault if i == where else "") for i, line in enumerate(lines)]
    data, numbers = manifest(lines, style)
    said = read(data, style)
    assert isinstance(said, str), f"read as {said}"
    assert said.startswith(f"manifest.{style.kind}, line {numbers[where]}: "), said
