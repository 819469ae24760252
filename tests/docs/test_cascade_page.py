"""What ``docs/cascade.md`` tells to type names choices and options that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.page_commands import points, sweeps

from asr_scaling.sweep.instantiate import build_job
from asr_scaling.util.config_dir import conf_dir

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cascade.md").read_text(encoding="utf-8")
COMMANDS = sweeps(PAGE)
MODULES = ("vad", "punctuation", "speaker")


def test_there_are_commands():
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_makes_its_points(command: str):
    for plain in points(command):
        assert build_job(plain).system.composed().engine is not None


def test_every_module_has_its_row():
    named = {
        (group, path.stem)
        for group in MODULES
        for path in Path(conf_dir(), group).glob("*.yaml")
        if path.stem not in ("none", "fake")
    }
    assert {name for _, name in named} <= set(re.findall(r"^\|.*?\| (\w+) \|", PAGE, re.MULTILINE))
