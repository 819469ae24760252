"""Checks of options that several parts have."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr_scaling.core.option_checks import at_home, writable
from asr_scaling.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~", "/home/ann"),
        ("~/r.jsonl", "/home/ann/r.jsonl"),
        ("~/${now:%Y}/x", "/home/ann/${now:%Y}/x"),
        ("sqlite:///~/x.db", "sqlite:////home/ann/x.db"),
        ("~root/x", str(Path("~root").expanduser() / "x")),
        ("~tracking", "~tracking"),
        ("a/~/b", "a/~/b"),
        ("http://~/x", "http://~/x"),
        ("", ""),
    ],
)
def test_the_home_folder_is_written_out(text: str, path: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert at_home(text) == path


def test_a_user_who_has_none():
    with pytest.raises(ConfigError, match="begins with ~nobody-of-that-name, and there is no such"):
        at_home("~nobody-of-that-name/x")


def test_what_can_not_be_written_is_one_sentence_with_a_remedy(tmp_path: Path):
    with (
        pytest.raises(ConfigError, match=r"/x can't be written \(Is a directory\): choose -o\."),
        writable(tmp_path / "x", "choose -o"),
    ):
        tmp_path.write_text("")
