"""Whatever a manifest says: files inside the folder, or one sentence; never a file outside."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from support.fuzzing import cases, damaged, sentence

from asr_scaling.dataset._manifest import read_manifest
from asr_scaling.errors import DataError

CORPUS = Path(__file__).parent / "corpus" / "manifest"
NAMES = {
    "jsonl": "manifest.jsonl",
    "csv": "manifest.csv",
    "tsv": "manifest.tsv",
    "txt": "1/2/1-2.trans.txt",
}


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    """A folder of speech beside one that is none of its business,
    with links from the one to the other."""
    top = tempfile.TemporaryDirectory(prefix="fuzz-")
    root, outside = Path(top.name) / "speech", Path(top.name) / "outside"
    for name in ("a.wav", "b.wav", "d/c.wav", "%2e%2e/a.wav", "1/2/1-2-3.flac", "1/2/1-2-4.flac"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    outside.mkdir()
    (outside / "secret.wav").write_bytes(b"x")
    (root / "out.wav").symlink_to("../outside/secret.wav")
    (root / "in.wav").symlink_to("d/c.wav")
    (root / "loop.wav").symlink_to("loop.wav")
    (root / "far").symlink_to(outside)
    (root / "zero.wav").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe.wav")
    return top


def read(data: bytes, kind: str) -> None:
    """Entries inside the folder, or one sentence."""
    root = Path(place().name) / "speech"
    manifest = root / NAMES[kind]
    manifest.write_bytes(data)
    try:
        entries = read_manifest(root)
    except DataError as error:
        sentence(error)
    else:
        inside = Path(os.path.realpath(root))
        assert entries
        assert len({entry.id for entry in entries}) == len(entries)
        for entry in entries:
            assert Path(os.path.realpath(entry.audio)).is_relative_to(inside)
            assert entry.audio.is_file()
            assert entry.text == entry.text.strip()
            assert f"{entry.id}{entry.speaker}{entry.text}".encode()
    finally:
        manifest.unlink()


STEPS = [
    "a.wav",
    "b.wav",
    "d",
    "c.wav",
    "..",
    ".",
    "",
    "~",
    "C:",
    "%2e%2e",
    "outside",
    "secret.wav",
    "out.wav",
    "in.wav",
]
STEPS += [
    "loop.wav",
    "far",
    "zero.wav",
    "pipe.wav",
    "a.wav\0",
    "a\nb",
    "x" * 300,
    "\u202e",
    "\udc80",
    "\\",
    "file:",
    "\t",
]
PATHS = st.builds(
    str.join, st.sampled_from(["/", "\\", "//"]), st.lists(st.sampled_from(STEPS), max_size=4)
)
PATHS |= st.builds(lambda path: f"{Path(place().name) / 'speech'}/{path}", PATHS) | st.text(
    max_size=8
)
TEXTS = st.sampled_from(["hello", "", " ", "<script>", "a\r\nb", '"', "\0", "\ud800"]) | st.text(
    max_size=8
)
VALUES: st.SearchStrategy[Any] = (
    TEXTS | st.none() | st.integers() | st.floats() | st.lists(st.integers(), max_size=2)
)
GOOD = st.just({"audio": "a.wav", "text": "words"}) | st.just(
    {"audio": "in.wav", "text": "words", "id": 7}
)
ROWS = (
    GOOD
    | st.fixed_dictionaries(
        {"audio": PATHS, "text": TEXTS}, optional={"id": VALUES, "speaker": VALUES, "more": VALUES}
    )
    | st.dictionaries(st.sampled_from(["audio", "text", "id", ""]), VALUES | PATHS, max_size=3)
)


def written(rows: list[dict[str, Any]], kind: str) -> bytes:
    if kind == "jsonl":
        return "\n".join(map(json.dumps, rows)).encode()
    if kind == "txt":
        return "\n".join(f"{row.get('audio')} {row.get('text')}" for row in rows).encode(
            errors="surrogatepass"
        )
    table = io.StringIO(newline="")
    writer = csv.DictWriter(
        table,
        ["audio", "text", "id", "speaker"],
        extrasaction="ignore",
        delimiter="," if kind == "csv" else "\t",
    )
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue().encode(errors="surrogatepass")


@cases("manifest", rows=st.lists(ROWS, min_size=1, max_size=3), kind=st.sampled_from(list(NAMES)))
def test_rows_of_any_values(rows: list[dict[str, Any]], kind: str):
    read(written(rows, kind), kind)


VALID = [
    {"audio": "a.wav", "text": 'He said "no", and'},
    {"audio": "d/c.wav", "text": "é ü", "id": "7", "speaker": "s"},
]
SEEDS = {kind: written(VALID, kind) for kind in ("jsonl", "csv", "tsv")}
SEEDS["txt"] = b"1-2-3 HE BEGAN\n1-2-4 TO SPEAK\n"


@pytest.mark.parametrize("kind", SEEDS)
def test_what_is_damaged_below_is_whole_here(kind: str):
    read(SEEDS[kind], kind)


@cases(
    "manifest bytes",
    found=st.sampled_from(list(SEEDS)).flatmap(
        lambda kind: st.tuples(st.just(kind), damaged([SEEDS[kind]]))
    ),
)
def test_damaged_manifests(found: tuple[str, bytes]):
    kind, data = found
    read(data, kind)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*")), ids=lambda path: path.name)
def test_what_was_found_before(path: Path):
    read(path.read_bytes(), path.suffix[1:])
