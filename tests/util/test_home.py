"""A user without a home folder: what is kept goes somewhere safe, and that is said."""

from __future__ import annotations

import getpass
import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asr_scaling.util import home
from asr_scaling.util.cache import cache_dir
from asr_scaling.util.home import ensure_home, instead_of_home

VARIABLES = ("HOME", "XDG_CACHE_HOME", "ASR_SCALING_CACHE", "LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user without an entry in passwd; the folder of temporary files."""

    def unknown(*_: Any) -> Any:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in VARIABLES:
        monkeypatch.setenv(name, "x")  # put back at the end, whatever is set meanwhile
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    instead_of_home.cache_clear()
    yield tmp_path
    instead_of_home.cache_clear()


def test_a_user_without_a_home(nobody: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ensure_home()
    assert Path.home().parent == nobody
    assert Path.home().stat().st_mode & 0o777 == 0o700
    assert getpass.getuser().startswith("uid")
    assert cache_dir("weights").is_dir()
    said = capsys.readouterr().err
    assert said.startswith("warning: This user has no home folder: what is kept from one command")
    assert "set HOME, or ASR_SCALING_CACHE, to a folder that stays.\n" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("place", [None, "/proc/none"])
def test_a_cache_that_can_not_be_made(
    nobody: Path,
    place: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if place is not None:
        monkeypatch.setenv("HOME", place)
    assert cache_dir("weights") == home.instead_of_home("") / "cache/weights"
    assert capsys.readouterr().err.startswith("warning: The cache's folder can't be made (")


def test_a_folder_of_somebody_else_is_not_used(nobody: Path) -> None:
    theirs = nobody / f"asr_scaling-home-{os.getuid()}"
    theirs.mkdir()
    theirs.chmod(0o777)
    own = instead_of_home("So it is")
    assert own != theirs
    assert own.stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_there_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    ensure_home()
    assert Path.home() == tmp_path
