"""Whatever is printed, wherever to: the work goes on and its exit status stays."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.offline import run_python

from asr_scaling.util.streams import LastingStream, lasting_streams

PRINTING = """
import sys
from asr_scaling.util.streams import lasting_streams
with lasting_streams():
    for number in range(20000):
        print("line", number)
        print("line", number, file=sys.stderr)
    open("done", "w").close()
sys.exit(3)
"""


def printed(text: str, encoding: str) -> str:
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding=encoding, newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        with lasting_streams():
            sys.stdout.write(text)
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"])
@given(text=st.text())
def test_any_text_can_be_printed_in_any_encoding(encoding: str, text: str):
    shown = iter(printed(text, encoding))
    assert all(letter in shown for letter in text if letter.isascii())  # in this order


def test_the_nearest_character_stands_for_one_that_is_not_there():
    assert printed("5 ± 1 – café → “x” 日 \udc80", "ascii") == "5 +- 1 - cafe -> ?x? ? ?"
    assert printed("5 ± 1 é", "latin-1") == "5 ± 1 é"


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_reader_that_goes_away_ends_nothing(tmp_path: Path, closed: str):
    """``| head`` reads one line and leaves; more is printed than a pipe holds."""
    reading, writing = os.pipe()
    pipes = {"stdout" if closed == "1" else "stderr": writing}
    others = {"stderr" if closed == "1" else "stdout": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-c", PRINTING], cwd=tmp_path, **pipes, **others)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    assert process.wait(60) == 3
    assert (tmp_path / "done").exists()


def test_little_that_nobody_reads_leaves_the_status(tmp_path: Path):
    """It is written only when the process ends, by when its reader has gone."""
    script = PRINTING.replace("20000", "1")
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert process.returncode == 3
    assert b"BrokenPipe" not in process.stderr


def test_a_stream_that_the_shell_closed_takes_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", None)
    with lasting_streams():
        print("nobody sees it")
    assert sys.stdout is None


def test_the_streams_are_put_back_and_not_wrapped_twice():
    before = sys.stdout
    with lasting_streams():
        once = sys.stdout
        with lasting_streams():
            assert sys.stdout is once
        assert isinstance(once, LastingStream)
        assert cast(TextIO, once).encoding == before.encoding
    assert sys.stdout is before


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["help"], ["nope"]])
def test_help_in_ascii(tmp_path: Path, arguments: list[str]):
    done = run_python(
        tmp_path,
        ["-m", "asr_scaling", *arguments],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == (1 if arguments == ["nope"] else 0)
    assert "Traceback" not in done.stderr
